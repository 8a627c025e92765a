"""Numbers over places as pictures: a colour map that everyone can read, and heat over a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Anchors of viridis (van der Walt & Smith 2015, CC0), evenly spaced: its lightness rises in even
# steps, so that it reads the same to colour-blind eyes, in grey, and on light and dark pages.
ANCHORS = (
    (68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142),
    (31, 158, 137), (53, 183, 121), (109, 205, 89), (180, 222, 44), (253, 231, 37),
)  # fmt: skip
HEAT_SHARE = 0.6
"""How much of the colour there is over a picture; the rest is the picture, in grey."""
LARGEST, SMALLEST = 448, 288
"""Sides of a picture with heat over it, in pixels: what is larger is scaled down, and the reverse."""


def colour_table() -> NDArray[np.uint8]:
    """256 colours, (256, 3): dark blue for little, yellow for much."""
    steps = np.linspace(0, len(ANCHORS) - 1, 256)
    anchors = np.array(ANCHORS, dtype=np.float64)
    channels = [np.interp(steps, np.arange(len(ANCHORS)), anchors[:, c]) for c in range(3)]
    return np.stack(channels, axis=1).round().astype(np.uint8)


def paint(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Numbers (h, w), `low` to `high`, as colours (h, w, 3); the lowest where there is no range."""
    share = (values - low) / (high - low) if high > low else np.zeros_like(values)
    return colour_table()[(255 * share).round().astype(np.uint8)]


def lay_over(heat: NDArray[np.float32], picture: Image.Image) -> Image.Image:
    """Numbers (h, w) that cover a square picture, over it: the picture in grey, the heat smooth."""
    ground = _sized(picture).convert("L").convert("RGB")
    smooth = Image.fromarray(heat.astype(np.float32)).resize(ground.size, Image.Resampling.BILINEAR)
    colours = Image.fromarray(paint(np.asarray(smooth), float(heat.min()), float(heat.max())))
    return Image.blend(ground, colours, HEAT_SHARE)


def _sized(picture: Image.Image) -> Image.Image:
    side = min(max(picture.width, SMALLEST), LARGEST)
    if side == picture.width:
        return picture
    # A small picture keeps its pixels, as the net sees them.
    way = Image.Resampling.NEAREST if side > picture.width else Image.Resampling.BICUBIC
    return picture.resize((side, side), way)


def draw_strip(maps: NDArray[np.float32], side: int, gap: int = 4) -> Image.Image:
    """Feature maps (n, h, w) in a row, each by its own lowest and highest number."""
    strip = Image.new("RGBA", (len(maps) * (side + gap) - gap, side))
    for at, values in enumerate(maps):
        colours = Image.fromarray(paint(values, float(values.min()), float(values.max())))
        small = colours.resize((side, side), Image.Resampling.NEAREST)
        strip.paste(small, (at * (side + gap), 0))
    return strip
