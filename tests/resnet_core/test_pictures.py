"""Every kind of picture that people really drop: read right, or refused in one sentence."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from resnet_core.errors import PictureError
from resnet_core.pictures import read_picture, to_input, warn_of_old_pillow


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def quarters(side: int = 64) -> Image.Image:
    """Red, green / blue, white: any wrong turn or channel shows."""
    pixels = np.zeros((side, side, 3), np.uint8)
    half = side // 2
    pixels[:half, :half, 0] = pixels[:half, half:, 1] = pixels[half:, :half, 2] = 255
    pixels[half:, half:] = 255
    return Image.fromarray(pixels)


def corners(data: bytes) -> list[tuple[int, ...]]:
    """The middle pixel of each quarter, as read: row by row."""
    image = read_picture(data).image
    assert image.mode == "RGB"
    w, h = image.size
    return [image.getpixel((x, y)) for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]


RIGHT = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)]


def assert_colours(found: list[tuple[int, ...]], expected=RIGHT, tolerance: int = 6) -> None:
    assert np.abs(np.array(found, int) - np.array(expected, int)).max() <= tolerance


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF", "AVIF", "HEIF"])
def test_every_format_named_in_the_refusal_is_read(kind: str) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    options = {"quality": 95} if kind not in ("PNG", "BMP", "TIFF", "GIF") else {}
    assert_colours(corners(encoded(quarters(), kind, **options)), tolerance=20)


TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270,
}  # fmt: skip


@pytest.mark.parametrize("orientation", TURNS)
def test_exif_orientation_is_undone(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    wide = quarters().resize((96, 64))
    data = encoded(wide.transpose(TURNS[orientation]), "PNG", exif=exif)
    assert_colours(corners(data))
    assert read_picture(data).size == (96, 64)


def test_cmyk_jpeg() -> None:
    assert_colours(corners(encoded(quarters().convert("CMYK"), "JPEG", quality=95)), tolerance=12)


def test_16_bit_png_is_scaled_and_not_clipped() -> None:
    grey = np.tile(np.linspace(0, 65_535, 256).astype(np.uint16), (16, 1))
    data = encoded(Image.fromarray(grey), "PNG")
    out = np.asarray(read_picture(data).image)[0, :, 0]
    np.testing.assert_allclose(out, np.arange(256), atol=1)


def test_16_bit_colour_png() -> None:
    """Written by hand, for Pillow can't: 16 bits a channel, one red and one half-blue pixel."""
    row = struct.pack(">B6H", 0, 65_535, 0, 0, 0, 0, 32_768)

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    data = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(row))
        + chunk(b"IEND", b"")
    )
    image = read_picture(data).image
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [(255, 0, 0), (0, 0, 128)]


@pytest.mark.parametrize(("values", "top"), [((0.0, 1.0), 1.0), ((0.0, 255.0), 255.0)])
def test_float_tiff(values: tuple[float, float], top: float) -> None:
    pixels = np.array([[values[0], values[1]]], np.float32)
    image = read_picture(encoded(Image.fromarray(pixels), "TIFF")).image
    assert [image.getpixel((x, 0))[0] for x in (0, 1)] == [0, 255]


def test_transparency_is_laid_on_white() -> None:
    image = quarters().convert("RGBA")
    image.putalpha(
        Image.fromarray(np.repeat([[255], [0]], [32, 32], axis=0).astype(np.uint8).repeat(64, 1))
    )
    white = (255, 255, 255)
    assert_colours(corners(encoded(image, "PNG")), [RIGHT[0], RIGHT[1], white, white])


def test_transparent_palette_and_grey_alpha() -> None:
    palette = quarters().quantize(4)
    see_through = palette.getpixel((16, 16))
    data = encoded(palette, "PNG", transparency=see_through)
    assert_colours(corners(data), [(255, 255, 255), *RIGHT[1:]])
    grey = Image.new("LA", (8, 8), (0, 128))
    assert_colours([read_picture(encoded(grey, "PNG")).image.getpixel((4, 4))], [(127, 127, 127)])


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_modes_without_colour(mode: str) -> None:
    white = Image.new("L", (9, 9), 255).convert(mode)
    assert read_picture(encoded(white, "PNG")).image.getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_animation_gives_its_first_frame_and_says_so(kind: str) -> None:
    frames = [quarters(), Image.new("RGB", (64, 64), "black")]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], lossless=True)
    assert_colours(corners(data), tolerance=10)
    assert "first of its pictures" in read_picture(data).notes[0]


@pytest.mark.parametrize("kind", ["JPEG", "MPO"])
def test_a_jpeg_is_decoded_no_larger_than_it_is_needed(kind: str) -> None:
    second = {"save_all": True, "append_images": [Image.new("RGB", (64, 64))]}
    data = encoded(
        quarters(1600).crop((0, 0, 1600, 1200)), kind, **(second if kind == "MPO" else {})
    )
    for enough, expected in ((1024, (1600, 1200)), (600, (800, 600)), (64, (200, 150))):
        picture = read_picture(data, enough)
        assert picture.image.size == expected and picture.size == (1600, 1200)
        assert picture.image.getpixel((10, 10))[0] > 240


def test_a_wrong_extension_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "photo.txt"
    path.write_bytes(encoded(quarters(), "PNG"))
    assert read_picture(path).size == (64, 64)


def test_one_pixel_is_a_picture() -> None:
    seen = to_input(read_picture(encoded(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG")).image, 32)
    assert seen.shape == (32, 32, 3) and (seen == (9, 8, 7)).all()


PNG = encoded(quarters(), "PNG")


def bomb(width: int, height: int) -> bytes:
    """A PNG that claims to be huge."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"hello, I am a text", "not a picture"),
        (b"%PDF-1.7 not a picture either", "not a picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x --><svg/>', "SVG"),
        (PNG[: len(PNG) // 2], "damaged or incomplete"),
        (encoded(quarters(256), "JPEG")[:900], "damaged or incomplete"),
        (PNG[:30], "not a picture|damaged"),
        (bomb(20_000, 20_000), "million pixels"),
        (bomb(12_001, 10_000), "million pixels"),
    ],
    ids=["zero bytes", "text", "pdf", "svg", "svg with bom", "cut png", "cut jpeg", "png head", "20,000 x 20,000", "just too large"],
)  # fmt: skip
def test_what_can_not_be_read_is_refused_in_a_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(PictureError, match=reason) as caught:
        read_picture(data)
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no picture at"):
        read_picture(tmp_path / "absent.png")
    with pytest.raises(PictureError, match="is a folder"):
        read_picture(tmp_path)


def test_a_picture_of_the_nets_own_size_passes_untouched(rng) -> None:
    pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    data = encoded(Image.fromarray(pixels), "PNG")
    np.testing.assert_array_equal(to_input(read_picture(data).image, 32), pixels)


def test_to_input_takes_the_centred_square() -> None:
    wide = Image.new("RGB", (96, 32), "black")
    wide.paste((255, 255, 255), (32, 0, 64, 32))
    assert (to_input(wide, 32) == 255).all()


@pytest.mark.parametrize(("version", "is_told"), [("12.3.0", True), ("13.0.0", False)])
def test_an_old_pillow_is_told_of_with_what_mends_it(
    version: str, is_told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(PIL, "__version__", version)
    warn_of_old_pillow.__wrapped__()
    said = capsys.readouterr().err
    assert (version in said and "-r requirements-overrides.txt" in said) if is_told else not said
