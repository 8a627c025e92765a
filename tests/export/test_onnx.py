"""The stand-alone file: parity with PyTorch and with onnx's own evaluator, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from export.__main__ import main
from export.onnx_file import write_onnx
from export.session import OnnxSession
from export.verify import MAX_LOGIT_DIFFERENCE, verify_onnx
from resnet_core.errors import ModelError
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import PixelModel
from resnet_core.models.saved import SavedModel, load_model, save_model
from tests.resnet_core.test_models import shake

NAMES = tuple("abcdefghij")
VARIANTS = [
    (name, shortcut)
    for name in ("plain8", "resnet8_v1", "resnet11_v2", "highway8")
    for shortcut in ("A", "B", "tutorial")
    if (name, shortcut) != ("highway8", "tutorial")
]


def make(name: str, shortcut: str, per_pixel: bool = False) -> SavedModel:
    torch.manual_seed(3)
    mean = torch.rand(32, 32, 3) * 255 if per_pixel else torch.tensor([125.0, 120.0, 110.0])
    model = PixelModel(parse_model_name(name, shortcut=shortcut), mean, torch.full_like(mean, 64.0))
    shake(model)
    return SavedModel(model.eval(), NAMES)


@pytest.mark.parametrize(("name", "shortcut"), VARIANTS)
def test_every_variant_keeps_its_logits(name: str, shortcut: str, tmp_path: Path) -> None:
    saved = make(name, shortcut, per_pixel=shortcut == "tutorial")
    path = tmp_path / "m.onnx"
    write_onnx(saved, path, "a test", "cifar10", 12.5)
    assert verify_onnx(path, saved.model, None).max_logit_difference <= MAX_LOGIT_DIFFERENCE


def test_onnx_reference_evaluator_agrees(tmp_path: Path, rng) -> None:
    saved = make("resnet8_v1", "B")
    path = tmp_path / "m.onnx"
    write_onnx(saved, path, "a test", "cifar10", None)
    pixels = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    logits, probabilities = ReferenceEvaluator(str(path)).run(None, {"image": pixels})
    ours, shares = OnnxSession(path, "cpu").run(pixels)
    np.testing.assert_allclose(ours, logits, atol=1e-4)
    np.testing.assert_allclose(shares, probabilities, atol=1e-5)
    exp = np.exp(logits - logits.max(1, keepdims=True))
    np.testing.assert_allclose(shares, exp / exp.sum(1, keepdims=True), atol=1e-5)


def test_the_file_stands_alone_and_describes_itself(tmp_path: Path) -> None:
    saved = make("plain8", "A")
    path = tmp_path / "m.onnx"
    write_onnx(saved, path, "a test", "cifar10", 12.5)
    assert [p.name for p in tmp_path.iterdir()] == ["m.onnx"]  # no weights outside
    assert b".py" not in path.read_bytes()  # no stack traces of the machine that exported it
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape[1:]) == ("image", "tensor(uint8)", [32, 32, 3])
    assert not isinstance(image.shape[0], int)
    assert [(o.name, o.type) for o in session.get_outputs()] == [
        ("logits", "tensor(float)"), ("probabilities", "tensor(float)"),
    ]  # fmt: skip
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["class_names"]) == list(NAMES)
    assert float(metadata["test_error_percent"]) == 12.5
    facts = OnnxSession(path, "cpu").facts
    assert (facts.name, facts.depth, facts.input_size) == ("plain8", 8, 32)


def test_verify_catches_a_planted_wrong_export(tmp_path: Path) -> None:
    saved = make("plain8", "A")
    path = tmp_path / "m.onnx"
    write_onnx(saved, path, "a test", "cifar10", None)
    with torch.no_grad():
        saved.model.network.classifier.bias[0] += 0.01
    parity = verify_onnx(path, saved.model, None)
    assert not parity.passed and parity.max_logit_difference == pytest.approx(0.01, rel=0.01)


def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    with pytest.raises(ModelError, match="no model file"):
        OnnxSession(path)
    path.write_bytes(b"not onnx")
    with pytest.raises(ModelError, match="can't be opened"):
        OnnxSession(path)
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    value = [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy"]
    graph = onnx.helper.make_graph([node], "g", value[:1], value[1:])
    onnx.save(
        onnx.helper.make_model(
            graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10
        ),
        path,
    )
    with pytest.raises(ModelError, match="does not describe itself"):
        _ = OnnxSession(path).facts


def test_weights_in_another_file_are_not_followed(tmp_path: Path) -> None:
    saved = make("plain8", "A")
    path = tmp_path / "m.onnx"
    write_onnx(saved, path, "a test", "cifar10", None)
    model = onnx.load(path)
    onnx.save(
        model,
        tmp_path / "split.onnx",
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=0,
    )
    with pytest.raises(ModelError, match="can't be opened"):
        OnnxSession(tmp_path / "split.onnx")


def test_cuda_is_never_claimed_where_it_does_not_run(tmp_path: Path) -> None:
    saved = make("plain8", "A")
    path = tmp_path / "m.onnx"
    write_onnx(saved, path, "a test", "cifar10", None)
    if torch.cuda.is_available():
        assert "CUDA" in OnnxSession(path, "cuda").name
    else:
        with pytest.raises(ModelError, match="does not run here"):
            OnnxSession(path, "cuda")
    assert "CPU" in OnnxSession(path, "cpu").name


def test_saved_models_rebuild_their_own_net_and_refuse_parts(tmp_path: Path) -> None:
    saved = make("highway8", "A")
    path = tmp_path / "m.safetensors"
    save_model(path, saved.model, NAMES)
    again = load_model(path)
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    torch.testing.assert_close(again.model(pixels), saved.model(pixels))
    assert again.class_names == NAMES and again.model.config == saved.model.config
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    del tensors["network.classifier.bias"]
    metadata = header["__metadata__"]
    save_file(tensors, path, metadata)
    with pytest.raises(ModelError, match="not those that were saved"):
        load_model(path)
    del metadata["tensors_sha256"]  # as files of earlier versions
    save_file(tensors, path, metadata)
    with pytest.raises(ModelError, match="do not fit highway8"):
        load_model(path)
    save_file(tensors, path)
    with pytest.raises(ModelError, match="not saved by ResNet Lab"):
        load_model(path)


def test_a_file_that_is_not_there_is_said_not_its_weights(tmp_path: Path, capsys) -> None:
    assert main(["verify", str(tmp_path / "model.onnx")]) == 2
    assert "There is no file " in capsys.readouterr().err
