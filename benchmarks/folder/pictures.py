"""Folders of JPEGs as people have them: small ones, a megapixel, a phone's, and a mix of all three."""

from __future__ import annotations

import io
import os
import shutil
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from resnet_core.data.shapes import draw_shapes

KINDS = {
    "small": ((32, 32), (64, 64), (96, 128), (160, 120), (224, 224), (256, 192)),
    "1mp": ((1280, 960), (960, 1280), (1200, 900)),
    "12mp": ((4032, 3024), (3024, 4032)),
    "mix": (
        (4032, 3024), (1600, 1200), (256, 192), (1280, 960), (3024, 4032),
        (640, 480), (960, 1280), (4032, 3024), (1200, 900), (320, 240),
    ),
}  # fmt: skip
"""Width and height, in turn. The mix: of ten, three from a phone, four as messengers send them on
(1 to 2 megapixels), three as web pages show them."""
DRAWN = 30
"""Pictures that are drawn. Every file is one of them with a comment of its own."""
MOST_BYTES = 1_000_000_000
"""Once as many are written, further names are links to the files before, in turn."""
GRAIN = 6.0
"""Standard deviation, in steps of 255: a smooth picture would decode faster than a photo does."""
TILE = 512
QUALITY = 90
_MIDDLE = 128  # of the grain, for pixels have no sign


def write_pictures(folder: Path, count: int, kind: str = "mix", seed: int = 0) -> int:
    """Write `count` JPEGs, named so that their order is the one they were written in.

    Args:
        kind: one of KINDS.

    Returns:
        How many are files of their own; the others are links to these.
    """
    drawn = _draw(min(count, DRAWN), kind, np.random.default_rng(seed))
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    written = 0
    for number, (path, data) in enumerate(zip(paths, cycle(drawn), strict=False)):
        # After whole turns of what was drawn, so that the links go on in the order of sizes.
        if written >= MOST_BYTES and number % len(drawn) == 0:
            _link_all(paths[:number], paths[number:])
            return number
        path.write_bytes(with_comment(data, path.stem))
        written += len(data)
    return count


def _draw(count: int, kind: str, rng: np.random.Generator) -> list[bytes]:
    sizes = KINDS[kind]
    pictures, _ = draw_shapes(count, rng)
    grain = draw_grain(rng)
    return [
        _as_jpeg(draw_large(pixels, size, grain))
        for pixels, size in zip(pictures, cycle(sizes), strict=False)
    ]


def draw_grain(rng: np.random.Generator) -> Image.Image:
    """A grey tile of noise around the middle of 255."""
    noise = rng.normal(_MIDDLE, GRAIN, (TILE, TILE))
    return Image.fromarray(np.clip(noise.round(), 0, 255).astype(np.uint8))


def draw_large(pixels: NDArray[np.uint8], size: tuple[int, int], grain: Image.Image) -> Image.Image:
    """A picture of the set, (32, 32, 3), in the middle of a large one, its sides mirrored outwards."""
    width, height = size
    side = len(pixels)
    wide, high = round(side * max(1, width / height)), round(side * max(1, height / width))
    across, down = wide - side, high - side
    margins = ((down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    large = Image.fromarray(np.pad(pixels, margins, "symmetric")).resize(
        size, Image.Resampling.BICUBIC
    )
    return ImageChops.add(large, _tiled(grain, size), offset=-_MIDDLE)


def _tiled(grain: Image.Image, size: tuple[int, int]) -> Image.Image:
    tiles = Image.new("L", size)
    for left in range(0, size[0], TILE):
        for top in range(0, size[1], TILE):
            tiles.paste(grain, (left, top))
    return Image.merge("RGB", (tiles, tiles, tiles))


def _as_jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def with_comment(data: bytes, text: str) -> bytes:
    """A JPEG of the same pixels and other bytes: a comment after its first marker (ITU T.81, B.2.4.5)."""
    comment = text.encode()
    start, rest = data[:2], data[2:]
    return start + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + rest


def _link_all(files: list[Path], names: list[Path]) -> None:
    for file, name in zip(cycle(files), names, strict=False):
        try:
            os.link(file, name)
        except OSError:  # a file system without links
            shutil.copy(file, name)
