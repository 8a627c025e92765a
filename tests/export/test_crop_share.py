"""What nets for ImageNet see of a picture: torchvision's own transform is the oracle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torchvision.transforms._presets import ImageClassification

from export.classifier import classify, open_engine
from export.folder.stream import classify_many
from export.onnx_file import write_onnx
from export.session import OnnxSession
from export.views import describe, make_views
from resnet_core.errors import ModelError
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import PixelModel
from resnet_core.models.saved import SavedModel, load_model, save_model
from resnet_core.pictures import centre_square, read_input, read_picture, to_input
from resnet_core.zoo import find_in_zoo
from tests.export.tiny_onnx import write_tiny_onnx

SHARE = 224 / 256
ENGINE = "onnxruntime-cpu"


def photo_like(width: int, height: int) -> Image.Image:
    """Soft patches under fine grain and hard edges, as photos have them."""
    rng = np.random.default_rng(width)
    soft = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    pixels = np.asarray(soft.resize((width, height), Image.Resampling.BICUBIC)).astype(int)
    pixels += rng.normal(0, 12, pixels.shape).astype(int)
    pixels[height // 3 : height // 2, width // 4 : width // 2] //= 2
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(
    "size", [(640, 427), (427, 640), (1601, 1200), (256, 256), (90, 200), (2400, 1511)]
)
@pytest.mark.parametrize("resize", [256, 232])
def test_the_pixels_are_torchvisions(size: tuple[int, int], resize: int) -> None:
    """Half a level in the mean: both round to 8 bits, and large pictures are reduced in two steps."""
    picture = photo_like(*size)
    transform = ImageClassification(
        crop_size=224, resize_size=resize, mean=(0.0,) * 3, std=(1.0,) * 3
    )
    theirs = 255 * transform(picture).permute(1, 2, 0).numpy()
    ours = to_input(picture, 224, 224 / resize).astype(float)
    assert np.abs(ours - theirs).mean() < 0.5 and np.abs(ours - theirs).max() <= 4
    whole = to_input(picture, 224).astype(float)
    assert np.abs(whole - theirs).mean() > 5  # what the crop is for


def test_the_smallest_pictures_have_a_middle_too() -> None:
    for size in ((1, 1), (1, 500), (3, 2)):
        picture = Image.new("RGB", size, (9, 8, 7))
        assert (to_input(picture, 224, SHARE) == (9, 8, 7)).all()
        assert min(centre_square(picture, SHARE).size) >= 1


def test_large_jpegs_stay_sharp_for_a_crop(tmp_path: Path) -> None:
    picture = photo_like(3000, 2000)
    picture.save(tmp_path / "a.jpg", quality=95)
    reduced = read_input(tmp_path / "a.jpg", 32, 0.25).astype(float)
    whole = to_input(read_picture(tmp_path / "a.jpg", 10**5).image, 32, 0.25).astype(float)
    assert np.abs(reduced - whole).mean() < 2


def make(share: float) -> SavedModel:
    model = PixelModel(parse_model_name("plain8"), torch.full((3,), 120.0), torch.full((3,), 60.0))
    return SavedModel(model.eval(), tuple("abcdefghij"), share)


def test_the_share_goes_from_the_weights_into_the_exported_file(tmp_path: Path) -> None:
    saved = make(SHARE)
    save_model(tmp_path / "m.safetensors", saved.model, saved.class_names, SHARE)
    again = load_model(tmp_path / "m.safetensors")
    assert again.crop_share == SHARE
    write_onnx(again, tmp_path / "m.onnx", "a test", "imagenet", None)
    assert OnnxSession(tmp_path / "m.onnx", "cpu").facts.crop_share == pytest.approx(SHARE)
    said = {p.key: p.value for p in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert "0.875 of the shorter side" in said["preprocessing"]


def test_files_from_before_see_the_whole_square() -> None:
    entry = find_in_zoo("resnet20_v1")
    assert OnnxSession(entry.onnx_file, "cpu").facts.crop_share == 1
    assert load_model(entry.weights_file).crop_share == 1


def cropping(path: Path, share: str) -> Path:
    write_tiny_onnx(path, list("abc"), size=64)
    model = onnx.load(path)
    kept = {prop.key: prop.value for prop in model.metadata_props}
    onnx.helper.set_model_props(model, kept | {"crop_share": share})
    onnx.save(model, path)
    return path


def test_every_way_of_asking_sees_the_same_pixels(tmp_path: Path) -> None:
    file = cropping(tmp_path / "m.onnx", "0.5")
    photo_like(200, 140).save(tmp_path / "a.png")
    picture = read_picture(tmp_path / "a.png").image
    expected = to_input(picture, 64, 0.5)
    asked = classify(tmp_path / "a.png", str(file), ENGINE)
    np.testing.assert_array_equal(asked.seen, expected)
    (told,) = next(classify_many([tmp_path / "a.png"], open_engine(str(file), ENGINE)))
    np.testing.assert_allclose(told.probabilities, asked.probabilities, atol=1e-6)
    np.testing.assert_array_equal(make_views(picture, 64, "flip", np.zeros(3), 0.5)[0], expected)
    square = centre_square(picture, 0.5)
    assert square.size == (70, 70)
    np.testing.assert_array_equal(np.asarray(square), np.asarray(picture)[35:105, 65:135])


def test_ten_crops_come_from_the_whole_square() -> None:
    picture = photo_like(300, 300)
    views = make_views(picture, 224, "ten-crop", np.zeros(3), 224 / 232)
    wide = to_input(picture, 232)
    np.testing.assert_array_equal(views[0], wide[:224, :224])
    np.testing.assert_array_equal(views[4], wide[4:228, 4:228])
    assert "232 pixels" in describe("ten-crop", 224, 224 / 232)


@pytest.mark.parametrize("share", ["0", "-1", "1.5", "nan", "much"])
def test_a_share_that_makes_no_sense_is_refused(share: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="crop_share"):
        _ = OnnxSession(cropping(tmp_path / "m.onnx", share), "cpu").facts


def test_the_doctor_takes_it_from_a_person(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    from resnet_core.__main__ import main
    from tests.resnet_core.doctor.ports import Port, save

    path = save(Port(1).state_dict(), tmp_path / "a.pth")
    words = ["import", str(path), "--normalisation", "half", "--data", "cifar10", "--json", "--runs", str(tmp_path)]  # fmt: skip
    assert main([*words, "--crop-share", "1.5"]) == 2
    assert "between 0 and 1" in capsys.readouterr().err
    assert main([*words, "--crop-share", "0.9"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert card["crop_share"] == 0.9 and "--crop-share 0.9" in card["command"]
    assert load_model(tmp_path / "imported" / "a" / "model.safetensors").crop_share == 0.9
    assert main([*words, "--name", "b"]) == 0
    assert json.loads(capsys.readouterr().out)["crop_share"] == 1
