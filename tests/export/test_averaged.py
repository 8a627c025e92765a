"""Several views and several nets, against their own probabilities averaged by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from export.averaged import classify_averaged
from export.session import OnnxSession
from export.views import make_views
from resnet_core.errors import ConfigError, ModelError
from resnet_core.models.saved import load_model
from resnet_core.pictures import read_picture, to_input
from resnet_core.zoo import find_in_zoo
from tests.export.tiny_onnx import write_tiny_onnx

SHIP = Path(__file__).resolve().parents[2] / "ui" / "classify" / "examples" / "ship.jpg"
MEAN = np.array([125.4, 122.6, 114.0], np.float32)


def noise(side: int) -> Image.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_flip_is_the_picture_and_its_mirror_image() -> None:
    upright, mirrored = make_views(noise(32), 32, "flip", MEAN)
    np.testing.assert_array_equal(upright, np.asarray(noise(32)))
    np.testing.assert_array_equal(mirrored, np.fliplr(np.asarray(noise(32))))


@pytest.mark.parametrize("per_pixel", [False, True])
def test_small_crops_are_those_of_training_in_the_nets_own_numbers(per_pixel: bool) -> None:
    """Normalised, padded with zeros, cropped: what training does, by PyTorch's own padding."""
    rng = np.random.default_rng(2)
    mean = rng.integers(90, 150, (32, 32, 3)).astype(np.float32) if per_pixel else MEAN.round()
    views = make_views(noise(32), 32, "ten-crop", mean)
    padded_pixels = F.pad(torch.tensor(np.asarray(noise(32))), (0, 0, 4, 4, 4, 4))
    is_inside = F.pad(torch.ones(32, 32, 1), (0, 0, 4, 4, 4, 4))
    offsets = [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)]
    for view, mirrored, (top, left) in zip(views[:5], views[5:], offsets, strict=True):
        part = np.s_[top : top + 32, left : left + 32]
        expected = (padded_pixels[part] - torch.tensor(mean)) * is_inside[part]
        np.testing.assert_array_equal(view.astype(np.float32) - mean, expected.numpy())
        np.testing.assert_array_equal(mirrored, view[:, ::-1])
    np.testing.assert_array_equal(views[4], np.asarray(noise(32)))


def test_large_crops_are_corners_and_centre_of_a_larger_picture() -> None:
    views = make_views(noise(256), 224, "ten-crop", MEAN)
    pixels = np.asarray(noise(256))
    assert views.shape == (10, 224, 224, 3)
    np.testing.assert_array_equal(views[0], pixels[:224, :224])
    np.testing.assert_array_equal(views[3], pixels[32:, 32:])
    np.testing.assert_array_equal(views[4], pixels[16:240, 16:240])
    np.testing.assert_array_equal(views[8], np.fliplr(pixels[32:, 32:]))


def test_the_answer_is_the_mean_over_views_and_nets(tmp_path: Path) -> None:
    names = ["resnet20_v1", "plain20"]
    copies = [str(tmp_path / f"{name}.onnx") for name in names]  # what was measured stays behind
    for name, copy in zip(names, copies, strict=True):
        Path(copy).write_bytes(find_in_zoo(name).onnx_file.read_bytes())
    answer = classify_averaged(SHIP, copies, "ten-crop", "onnxruntime-cpu")
    by_hand = []
    for name in names:
        entry = find_in_zoo(name)
        mean = load_model(entry.weights_file).model.mean.numpy()
        views = make_views(read_picture(SHIP).image, 32, "ten-crop", mean)
        by_hand.append(OnnxSession(entry.onnx_file, "cpu").run(views)[1].mean(0))
    np.testing.assert_allclose(answer.probabilities, np.mean(by_hand, axis=0), atol=1e-5)
    assert answer.model == " + ".join(copies)
    assert answer.notes[0] == "Mean of 2 nets." and answer.notes[1].startswith("Mean of 10 views:")
    np.testing.assert_array_equal(answer.seen, to_input(read_picture(SHIP).image, 32))


def test_nets_of_other_classes_and_unknown_views_are_refused(tmp_path: Path) -> None:
    write_tiny_onnx(tmp_path / "tiny.onnx", list("abc"))
    with pytest.raises(ModelError, match="do not know the same classes"):
        classify_averaged(SHIP, ["plain20", str(tmp_path / "tiny.onnx")], engine="onnxruntime-cpu")
    with pytest.raises(ConfigError, match="no views 'many'"):
        classify_averaged(SHIP, ["plain20"], "many")
    with pytest.raises(ModelError, match="what it subtracts"):
        classify_averaged(SHIP, [str(tmp_path / "tiny.onnx")], "ten-crop", "onnxruntime-cpu")


def test_the_command_takes_views_and_other_nets(run_module) -> None:
    engine = ("--engine", "onnxruntime-cpu", "--json")
    words = ("classify", SHIP, "--views", "flip", "--with", "plain20", "plain56", *engine)
    done = run_module("export", *words)
    assert done.returncode == 0, done.stderr
    (told,) = json.loads(done.stdout)
    assert told["model"] == "resnet20_v1 + plain20 + plain56"
    assert told["notes"] == [
        "Mean of 3 nets.", "Mean of 2 views: the picture and its mirror image.",
    ]  # fmt: skip
