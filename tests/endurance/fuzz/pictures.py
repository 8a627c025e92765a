"""Pictures in every format that is read, small, and the door that all of them go through."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from tests.endurance.fuzz.target import Prepared, Target

SIZE = 16


def picture_seeds() -> list[bytes]:
    """One of each format, and of the modes that are treated apart."""
    rng = np.random.default_rng(0)
    rgb = Image.fromarray(rng.integers(0, 256, (13, 17, 3), np.uint8))
    turned = Image.Exif()
    turned[0x0112] = 6
    deep = Image.fromarray(rng.integers(0, 65_536, (9, 9)).astype(np.uint16))
    saves = [
        (rgb, "PNG", {}), (rgb, "JPEG", {"exif": turned}), (rgb, "JPEG", {"progressive": True}),
        (rgb.convert("CMYK"), "JPEG", {}), (rgb, "WEBP", {}), (rgb, "WEBP", {"lossless": True}),
        (rgb, "BMP", {}), (rgb, "TIFF", {}), (rgb, "TIFF", {"compression": "tiff_lzw"}),
        (rgb, "AVIF", {}), (rgb.convert("P"), "GIF", {}), (rgb.convert("P"), "PNG", {}),
        (rgb.convert("RGBA"), "PNG", {}), (rgb.convert("LA"), "PNG", {}), (deep, "PNG", {}),
        (deep, "TIFF", {}), (rgb.convert("F"), "TIFF", {}), (rgb.convert("1"), "PNG", {}),
        (rgb.convert("P"), "GIF", {"save_all": True, "append_images": [rgb.convert("P")]}),
    ]  # fmt: skip
    return [_saved(image, form, options) for image, form, options in saves] + [_heic(rgb)]


def _saved(image: Image.Image, form: str, options: dict) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def _heic(image: Image.Image) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return _saved(image, "HEIF", {})


def _prepare(_: Path) -> Prepared:
    from resnet_core.pictures import read_picture, to_input

    def read(data: bytes) -> None:
        picture = read_picture(data, 3 * SIZE)
        seen = to_input(picture.image, SIZE)
        assert picture.image.mode == "RGB" and seen.shape == (SIZE, SIZE, 3)
        assert min(picture.size) >= 1

    return Prepared(picture_seeds(), read)


TARGETS = (
    Target("pictures", "JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF and HEIC files", _prepare, 30),
)
