"""A folder of JPEGs as people have them: half from a phone, half small, drawn from the built-in set."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet_core.data.shapes import draw_shapes

SIZES = (
    (4032, 3024), (640, 480), (3024, 4032), (1280, 960), (4000, 2250), (320, 240),
)  # fmt: skip
"""Width and height: a phone's photos upright, lying and wide, in turn with what messengers leave."""
DISTINCT = 60
"""Pictures that are drawn; more names than that are further links to them."""
GRAIN = 6.0
"""Standard deviation, in steps of 255: a smooth picture would decode faster than a photo does."""
TILE = 512
QUALITY = 90


def write_pictures(folder: Path, count: int, seed: int = 0) -> None:
    """Write `count` JPEGs, named so that their order is the one they were written in."""
    rng = np.random.default_rng(seed)
    drawn, _ = draw_shapes(min(count, DISTINCT), rng)
    grain = rng.normal(0, GRAIN, (TILE, TILE, 1)).astype(np.int16)
    paths = [folder / f"{number:06}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        if number < len(drawn):
            picture = draw_large(drawn[number], SIZES[number % len(SIZES)], grain)
            picture.save(path, "JPEG", quality=QUALITY)
        else:
            _link(paths[number % len(drawn)], path)


def draw_large(
    pixels: NDArray[np.uint8], size: tuple[int, int], grain: NDArray[np.int16]
) -> Image.Image:
    """A picture of the set, (32, 32, 3), in the middle of a large one, its sides mirrored outwards."""
    width, height = size
    side = len(pixels)
    wide, high = round(side * max(1, width / height)), round(side * max(1, height / width))
    across, down = wide - side, high - side
    margins = ((down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    large = Image.fromarray(np.pad(pixels, margins, "symmetric")).resize(
        size, Image.Resampling.BICUBIC
    )
    tiles = np.tile(grain, (-(-height // TILE), -(-width // TILE), 1))[:height, :width]
    return Image.fromarray(np.clip(np.asarray(large, np.int16) + tiles, 0, 255).astype(np.uint8))


def _link(existing: Path, path: Path) -> None:
    try:
        os.link(existing, path)
    except OSError:  # a file system without links
        shutil.copy(existing, path)
