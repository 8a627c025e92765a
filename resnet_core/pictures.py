"""From whatever file a person drops to RGB pixels: one door, for classifying and for training.

Orientation (EXIF), CMYK, 16 bits, palettes, transparency and animation are put right here;
what can't be read is refused in one sentence. Resizing to a net's input is `to_input`.
Pillow is imported when the first picture is read: training on ready arrays needs none.
"""

from __future__ import annotations

import math
import sys
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resnet_core.errors import PictureError, briefly
from resnet_core.picture_limits import CountedBytes, refuse_long_lists, refuse_slow_coding
from resnet_core.picture_room import PictureRoom

if TYPE_CHECKING:
    from PIL import Image

MAX_FILE_BYTES = 50 * 2**20
# A 108-megapixel phone camera is real; a 20,000 x 20,000 picture is a bomb.
MAX_PIXELS = 120_000_000
ROOM = PictureRoom(2 * MAX_PIXELS)
SAFE_PILLOW = 13
"""The first without what its release notes of October 2026 list under Security."""
FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF", "HEIF"]
# Nets here see 32 to 224 pixels: a JPEG is decoded no larger than it needs to stay sharp.
ENOUGH_PIXELS = 1024
TIMES_INPUT = 3  # where only a net looks; `to_input` itself reduces pictures to that first
ORIENTATION_TAG = 0x0112
QUARTER_TURNS = (5, 6, 7, 8)  # values of that tag which make width height
BACKGROUND = (255, 255, 255)
WHOLE_SQUARE = 1.0  # the largest centred square, which is what nets see if nothing else is said


@dataclass(frozen=True)
class Picture:
    """RGB pixels, and what had to be said about getting them."""

    image: Image.Image
    size: tuple[int, int]
    """Width and height of the file's picture, upright, in pixels."""
    notes: tuple[str, ...]


def read_picture(source: Path | bytes, enough_pixels: int = ENOUGH_PIXELS) -> Picture:
    """Decode a picture file into upright RGB.

    Args:
        enough_pixels: a JPEG may be decoded at a half, quarter or eighth of its width and height
            while both keep at least this many.

    Raises:
        PictureError: not a picture, damaged, too large, or of a kind that has no pixels.
    """
    from PIL import Image, UnidentifiedImageError

    data = _read_bytes(source) if isinstance(source, Path) else source
    _refuse_at_sight(data)
    refuse_long_lists(data)
    formats = _set_up_pillow()
    try:
        with Image.open(CountedBytes(data), formats=formats) as image:
            refuse_slow_coding(image, data)
            with ROOM.take(image.width * image.height):
                return _to_rgb(image, enough_pixels)
    except PictureError:
        raise
    except Image.DecompressionBombError:
        raise PictureError(
            f"This picture has more than {MAX_PIXELS // 10**6} million pixels: scale it down first."
        ) from None
    except UnidentifiedImageError:
        raise PictureError(
            "This file is not a picture I can read: use JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC."
        ) from None
    # Decoders raise whatever they like on damaged data; to a person it is all the same.
    except Exception as error:
        raise PictureError(
            f"This picture is damaged or incomplete ({briefly(error)}): open and save it again, or try another."
        ) from None


def read_input(
    source: Path | bytes, size: int, crop_share: float = WHOLE_SQUARE
) -> NDArray[np.uint8]:
    """A picture file as a net sees it, (size, size, 3) uint8. Raises PictureError."""
    enough_pixels = math.ceil(TIMES_INPUT * size / crop_share)
    return to_input(read_picture(source, enough_pixels).image, size, crop_share)


def to_input(
    picture: Image.Image, size: int, crop_share: float = WHOLE_SQUARE
) -> NDArray[np.uint8]:
    """The pixels a net sees: a centred square, scaled to (size, size, 3) uint8.

    A picture that already is size x size passes through untouched.

    Args:
        crop_share: side of the square as a share of the picture's shorter side. Scaling that
            side to 256 pixels and cutting 224 out of the middle, as nets for ImageNet are tested
            (arXiv 1512.03385 §3.4), is 224 / 256; it is done as torchvision does it.
    """
    from PIL import Image

    if crop_share < WHOLE_SQUARE:
        box = _crop_box(picture.size, size, crop_share)
        scaled = picture.resize((size, size), Image.Resampling.BILINEAR, box, reducing_gap=3.0)
        return np.asarray(scaled, dtype=np.uint8)
    square = centre_square(picture)
    if square.width != size:
        square = square.resize((size, size), Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(square, dtype=np.uint8)


def centre_square(picture: Image.Image, crop_share: float = WHOLE_SQUARE) -> Image.Image:
    """The part of a picture that a net sees, as large as it is: the largest centred square, or less."""
    side = max(1, round(crop_share * min(picture.size)))
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return picture.crop((left, top, left + side, top + side))


def _crop_box(
    picture_size: tuple[int, int], size: int, crop_share: float
) -> tuple[float, float, float, float]:
    """What scaling first and cropping whole pixels then keeps, in pixels of the picture."""
    shorter = min(picture_size)
    scaled = [max(size, int(side * round(size / crop_share) / shorter)) for side in picture_size]
    first = [round((side - size) / 2) for side in scaled]
    left, top = (f * p / s for f, p, s in zip(first, picture_size, scaled, strict=True))
    width, height = (size * p / s for p, s in zip(picture_size, scaled, strict=True))
    return left, top, left + width, top + height


def _read_bytes(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise PictureError(
                f"This file has {size / 2**20:.0f} MB, more than the {MAX_FILE_BYTES // 2**20} MB "
                "allowed: scale the picture down first."
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise PictureError(f"There is no picture at {path}: check the path.") from None
    except IsADirectoryError:
        raise PictureError(
            f"{path} is a folder: name the pictures in it, or give --csv FILE to classify them all."
        ) from None
    except OSError as error:
        raise PictureError(
            f"This file can't be read ({error.strerror}): check its permissions and its disk."
        ) from None


def _refuse_at_sight(data: bytes) -> None:
    if not data:
        raise PictureError("This file is empty: pick a picture with something in it.")
    head = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<svg") or (head.startswith(b"<?xml") and b"<svg" in data[:4096].lower()):
        raise PictureError(
            "SVG is a drawing without pixels, and nets need pixels: export it as PNG and try again."
        )


@cache
def _set_up_pillow() -> list[str]:
    """Set Pillow's limits, plug in HEIC, and return those of FORMATS that this build can read."""
    from PIL import Image, ImageFile

    warn_of_old_pillow()
    # Pillow warns above its limit and refuses above twice that. Its warnings are of no use to anyone
    # here, and a file can make it give thousands.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS // 2
    warnings.filterwarnings("ignore", module="PIL")
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    _register_heif()
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]  # it fails on the names of others


@cache
def warn_of_old_pillow() -> None:
    """Say on stderr, once, that this Pillow reads pictures with errors that are known."""
    import PIL

    if int(PIL.__version__.split(".")[0]) < SAFE_PILLOW:
        print(
            f"Pillow {PIL.__version__} has known memory errors in what reads pictures; before you "
            "open those of strangers: python -m pip install --no-deps -r requirements-overrides.txt",
            file=sys.stderr,
        )


def _register_heif() -> None:
    """HEIC, the format of many phones, is read by a plug-in; without it, Pillow says no."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:  # no wheel for this platform: HEIC files are refused as unreadable
        return
    register_heif_opener(thumbnails=False)


def _to_rgb(image: Image.Image, enough_pixels: int) -> Picture:
    notes = []
    if getattr(image, "is_animated", False):  # to count them, GIF and TIFF would be read to the end
        notes.append("Animated or multi-page: this is the first of its pictures.")
        image.seek(0)
    size = image.size
    if image.format in ("JPEG", "MPO") and image.mode == "RGB":  # MPO: a phone's, with a second one
        image.draft("RGB", (enough_pixels, enough_pixels))
    image.load()
    orientation = image.getexif().get(ORIENTATION_TAG, 1)
    if orientation in QUARTER_TURNS:
        size = size[::-1]
    return Picture(_flatten(_turn(image, orientation)), size, tuple(notes))


def _turn(image: Image.Image, orientation: Any) -> Image.Image:
    """Upright; `ImageOps.exif_transpose` also writes all of the EXIF anew, however much it is."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    turn = turns.get(orientation)
    return image if turn is None else image.transpose(turn)


def _flatten(image: Image.Image) -> Image.Image:
    """Any mode to RGB: 16 bits scaled, not clipped; transparency laid on white."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        image = _scale_to_8_bits(np.asarray(image, dtype=np.float64), 65_535)
    elif image.mode in ("I", "F"):
        values = np.asarray(image, dtype=np.float64)
        image = _scale_to_8_bits(values, _range_top(values))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, (*BACKGROUND, 255))
        image = Image.alpha_composite(ground, image)
    return image.convert("RGB")


def _range_top(values: NDArray[np.float64]) -> float:
    """The value of white: 1 for fractions, else full 8 or 16 bits, else the brightest pixel."""
    brightest = float(np.nanmax(values, initial=0.0))
    return next((top for top in (1.0, 255.0, 65_535.0) if brightest <= top), brightest)


def _scale_to_8_bits(values: NDArray[np.float64], top: float) -> Image.Image:
    from PIL import Image

    scaled = np.clip(np.nan_to_num(values) * (255 / top), 0, 255).round().astype(np.uint8)
    return Image.fromarray(scaled, "L") if scaled.ndim == 2 else Image.fromarray(scaled)
