"""Published weights, from a server to an answer about a picture; torchvision knows what they are."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torchvision.models
from torch import nn

from export.__main__ import main
from export.catalogue import list_exported
from export.fetch import Fetched, Places, fetch_model
from export.session import OnnxSession
from resnet_core.errors import LabError
from resnet_core.models.photo_families import photo_nets
from resnet_core.pretrained import table
from resnet_core.pretrained.download import Fetching
from resnet_core.pretrained.table import WEIGHTS, Weights, find_weights
from resnet_core.training.find import find_model
from resnet_core.zoo import find_imported
from tests.resnet_core.doctor.ports import logits, unsettle
from tests.weights_server import WeightsServer, serving, sha256_start

NAMES = ("cat", "dog", "horse", "cow", "goat")
SIDE = 64


@pytest.mark.parametrize("weights", WEIGHTS, ids=lambda w: f"{w.net}-{w.version}")
def test_the_table_is_torchvisions(weights: Weights) -> None:
    theirs = torchvision.models.get_model_weights(weights.net)[f"IMAGENET1K_{weights.version.upper()}"]  # fmt: skip
    assert theirs.url == f"{table.URL}/{weights.file_name}"
    assert theirs.meta["_file_size"] == weights.mebibytes
    assert theirs.meta["_metrics"]["ImageNet-1K"]["acc@1"] == weights.top1_percent
    assert theirs.meta["num_params"] == weights.params
    transform = theirs.transforms()
    assert transform.resize_size == [weights.resize] and transform.crop_size == [224]
    assert (transform.mean, transform.std) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])


def test_the_table_is_whole_and_its_newest_are_torchvisions_default() -> None:
    for name in photo_nets():
        if not hasattr(torchvision.models, name):
            continue
        theirs = torchvision.models.get_model_weights(name)
        assert len(list(theirs)) == sum(w.net == name for w in WEIGHTS)
        assert theirs.DEFAULT.url.endswith(find_weights(name).file_name)
    assert find_weights("resnet50", "v1").model_name == "resnet50_imagenet_v1"
    with pytest.raises(LabError, match="no published weights of 'resnet18' in version v2"):
        find_weights("resnet18", "v2")


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    net = torchvision.models.resnet18(num_classes=len(NAMES))
    unsettle(net)
    return net


@pytest.fixture(scope="module")
def content(net: nn.Module) -> bytes:
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    return file.getvalue()


@pytest.fixture
def server(content: bytes) -> Iterator[WeightsServer]:
    with serving(content) as server:
        yield server


@pytest.fixture
def weights(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """A small net in the place of the published ones."""
    mebibytes = len(content) / 2**20
    small = Weights("resnet18", "v1", sha256_start(content), mebibytes, 70, 73, 1, NAMES, SIDE)
    monkeypatch.setattr(table, "WEIGHTS", (small,))
    return small


def test_fetch_export_classify(
    net: nn.Module, server: WeightsServer, weights: Weights, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    runs = tmp_path / "runs"
    monkeypatch.setenv("RESNET_LAB_RUNS", str(runs))
    folders = ["--weights-folder", str(tmp_path / "w"), "--runs", str(runs), "--url", server.url]
    assert main(["fetch", "resnet18", *folders]) == 2
    said = capsys.readouterr().err
    assert "say --yes" in said and said.count("\n") == 1 and not server.asked
    assert main(["fetch", "resnet18", *folders, "--yes", "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    kinds = [event["event"] for event in events]
    assert kinds[0] == "fetching" and kinds[-3:] == ["working", "working", "fetched"]
    assert [path.name for path in (tmp_path / "w").glob("[!.]*")] == [weights.file_name]

    card = find_imported("resnet18_imagenet", runs).card
    assert card["data"] == "imagenet" and card["class_names"] == list(NAMES)
    assert card["published"]["top1_error_percent"] == 30 and card["test_error_percent"] is None
    assert card["command"] == "python -m export fetch resnet18 --version v1"
    listed = {model.name: model for model in list_exported()}["resnet18_imagenet"]
    assert "30.00 % (published)" in listed.title
    session = OnnxSession(listed.file, "cpu")
    assert session.facts.crop_share == pytest.approx(SIDE / 73, abs=1e-6)
    assert session.facts.test_error_percent is None
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8, generator=generator)
    theirs = logits(net, images)
    found = find_model("resnet18_imagenet", runs).saved
    assert found.crop_share == SIDE / 73
    torch.testing.assert_close(torch.tensor(session.run(images.numpy())[0]), theirs, atol=1e-3, rtol=1e-4)  # fmt: skip

    asked = len(server.asked)
    assert main(["fetch", "resnet18", *folders]) == 0  # it is here: nobody is asked, nothing done
    assert "it was here already" in capsys.readouterr().out and len(server.asked) == asked
    listed.file.unlink()  # as after a kill between import and export
    exported: list[str] = []
    monkeypatch.setattr("export.fetch._export", lambda name, _: exported.append(name) or "proof")
    assert main(["fetch", "resnet18", *folders]) == 0
    assert exported == ["resnet18_imagenet"] and len(server.asked) == asked


def test_another_net_under_the_right_hash_is_not_imported(
    server: WeightsServer, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    places = Places(tmp_path / "w", tmp_path / "runs", server.url)
    with pytest.raises(LabError, match="resnet18 of 5 classes, and not resnet18 of 2"):
        list(fetch_model(replace(weights, class_names=("a", "b")), places))
    assert find_imported("resnet18_imagenet", tmp_path / "runs") is None


def test_a_file_placed_by_hand_needs_no_server_and_no_question(
    content: bytes, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.fetch._export", lambda *_: "proof")
    folder = tmp_path / "w"
    folder.mkdir()
    places = Places(folder, tmp_path / "runs", "http://127.0.0.1:1")
    with pytest.raises(LabError, match="can't be reached") as error:
        list(fetch_model(weights, places))
    assert str(places.file(weights)) in str(error.value)
    places.file(weights).write_bytes(content)
    *before, last = fetch_model(weights, places)
    assert isinstance(last, Fetched) and not any(isinstance(e, Fetching) for e in before)


def test_the_list_needs_no_network(capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    assert main(["fetch", "--runs", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert all(w.net in said for w in WEIGHTS) and "19.14 %" in said and "published" in said
    assert main(["fetch", "--runs", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == len(WEIGHTS) and not any(row["is_fetched"] for row in rows)
    assert main(["fetch", "resnet51"]) == 2
    assert "resnet50 (v2)" in capsys.readouterr().err


def test_nobody_is_fetched_from_without_a_yes(
    server: WeightsServer, weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setattr("sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    monkeypatch.setattr("builtins.input", lambda _: "n")
    words = ["--weights-folder", str(tmp_path), "--runs", str(tmp_path), "--url", server.url]
    assert main(["fetch", "resnet18", *words]) == 0
    said = capsys.readouterr().out
    for word in ("45 MB", "127.0.0.1", "BSD 3-Clause", "30.00 %", weights.file_name, "Nothing was"):
        assert word in said, said
    assert not server.asked
