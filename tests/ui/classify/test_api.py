"""The `/classify` endpoint over HTTP, as the README's example calls it."""

from __future__ import annotations

import io
import json
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[3] / "ui" / "classify" / "examples"


@pytest.fixture(scope="module")
def client(app_url: str) -> Client:
    return Client(app_url, verbose=False)


def test_classify_answers_in_the_label_format(client: Client) -> None:
    label, seen, details = client.predict(
        image=handle_file(EXAMPLES / "ship.jpg"), model="resnet20_v1", top_k=3, api_name="/classify"
    )
    assert label["label"] == "ship" and len(label["confidences"]) == 3
    assert label["confidences"][0]["confidence"] > 0.5
    path = seen["path"] if isinstance(seen, dict) else seen
    assert Image.open(path).size == (32, 32)
    assert details["engine"].startswith("ONNX Runtime") and details["inference_ms"] > 0


def test_model_and_top_k_have_defaults(client: Client) -> None:
    label, _, _ = client.predict(image=handle_file(EXAMPLES / "truck.jpg"), api_name="/classify")
    assert label["label"] == "truck" and len(label["confidences"]) == 5


def test_classify_equals_the_bare_onnx_file(client: Client, cifar10) -> None:
    from export.catalogue import list_exported
    from export.session import OnnxSession

    engine = OnnxSession(list_exported()[0].file, "cpu")  # the default model
    for index in range(5):
        pixels = cifar10.test.images[index].numpy()
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        path = Path(client.output_dir) / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
        label, _, _ = client.predict(image=handle_file(path), top_k=10, api_name="/classify")
        ours = {c["label"]: c["confidence"] for c in label["confidences"]}
        expected = dict(zip(cifar10.class_names, engine.run(pixels[None])[1][0], strict=True))
        np.testing.assert_allclose([ours[n] for n in expected], list(expected.values()), atol=1e-6)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"text", "not a picture"),
        (b"<svg/>", "SVG"),
        (b"\x89PNG\r\n\x1a\n12", "not a picture|damaged"),
    ],
)
def test_bad_input_is_one_sentence_and_the_app_lives_on(
    client: Client, tmp_path: Path, data: bytes, words: str
) -> None:
    path = tmp_path / "picture.png"
    path.write_bytes(data)
    with pytest.raises(AppError, match=words) as caught:
        client.predict(image=handle_file(path), api_name="/classify")
    assert "Traceback" not in str(caught.value)
    label, _, _ = client.predict(image=handle_file(EXAMPLES / "ship.jpg"), api_name="/classify")
    assert label["label"] == "ship"


def test_an_unknown_model_is_refused(client: Client) -> None:
    file = EXAMPLES.parents[2] / "zoo" / "plain20" / "model.onnx"
    assert file.is_file()
    for name in ("no_such", str(file)):  # a page may name models, not files of this machine
        with pytest.raises(AppError, match="no exported model"):
            client.predict(
                image=handle_file(EXAMPLES / "ship.jpg"), model=name, api_name="/classify"
            )


def test_only_classify_is_public(client: Client) -> None:
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/classify"}


def test_it_can_be_installed_as_an_app(app_url: str) -> None:
    with urllib.request.urlopen(f"{app_url}manifest.json") as answer:
        manifest = json.load(answer)
    assert manifest["display"] == "standalone" and manifest["icons"]


def test_the_picture_argument_can_not_read_other_files(client: Client) -> None:
    with pytest.raises(Exception, match=r".+"):
        client.predict(
            image={"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}},
            api_name="/classify",
        )
