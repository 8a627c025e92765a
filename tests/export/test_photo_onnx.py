"""Nets for photos as stand-alone files: parity, what is inside them, and a wrong one caught."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.inside import InsideModel
from export.onnx_file import write_onnx
from export.session import OnnxSession
from export.verify import verify_onnx
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import PixelModel
from resnet_core.models.saved import SavedModel
from tests.resnet_core.doctor.ports import unsettle

SIDE = 64
NAMES = tuple(f"kind {i}" for i in range(1000))
MEAN, STD = torch.tensor([123.7, 116.3, 103.5]), torch.tensor([58.4, 57.1, 57.4])


def make(name: str) -> SavedModel:
    torch.manual_seed(3)
    model = PixelModel(parse_model_name(name, input_size=SIDE), MEAN, STD)
    unsettle(model)
    return SavedModel(model.eval(), NAMES)


@pytest.mark.parametrize("name", ["resnet18", "plain34_photo", "resnet50", "resnext50_32x4d"])
def test_photo_nets_keep_their_logits(name: str, tmp_path: Path, rng) -> None:
    saved = make(name)
    path = tmp_path / "m.onnx"
    write_onnx(saved, path, "a test", "imagenet", None)
    assert [file.name for file in tmp_path.iterdir()] == ["m.onnx"]
    parity = verify_onnx(path, saved.model, None)
    assert parity.passed and parity.max_logit_difference <= 1e-5 * max(10, parity.largest_logit)
    pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    _, probabilities = OnnxSession(path, "cpu").run(pixels[None])
    assert probabilities.shape == (1, 1000) and probabilities.sum() == pytest.approx(1, abs=1e-4)
    inside = InsideModel(path).look(pixels)
    stages = [f"Stage {i}" for i in range(1, 5)]
    assert [stage.title for stage in inside.stages] == ["Stem", *stages]
    assert inside.maps.shape == (1000, SIDE // 32, SIDE // 32)
    if name == "resnet18":
        wrong_exports_are_caught(path, saved.model)


def wrong_exports_are_caught(path: Path, model: PixelModel) -> None:
    """Large logits allow a larger difference, and hide none that matters."""
    with torch.no_grad():
        model.network.bn1.weight[0] *= 1.01
    wrong = verify_onnx(path, model, None)
    assert wrong.largest_logit > 10 and not wrong.passed
    broken = onnx.load(path)
    for tensor in broken.graph.initializer:
        if tensor.name.endswith("fc.bias"):
            nothing = np.full(1000, np.nan, np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(nothing, tensor.name))
    onnx.save(broken, path)
    assert not verify_onnx(path, model, None).passed
