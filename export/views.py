"""Several views of one picture for one net: as it is, mirrored, ten crops. Their answers are averaged.

He et al. 2015 (arXiv 1512.03385 §3.4) test on ImageNet with the ten crops of Krizhevsky et al.
2012: four corners and the centre, each also mirrored, of a picture somewhat larger than the net's
input. Nets with small inputs learned from pictures padded by 4 pixels instead (§4.2): their crops
are taken from the padded picture, as in training.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet_core.pictures import WHOLE_SQUARE, to_input

ONE, FLIP, TEN_CROP = "one", "flip", "ten-crop"
VIEWS = (ONE, FLIP, TEN_CROP)
SMALL_INPUT = 64
"""Below this many pixels a picture is padded for its crops, else scaled up."""
PADDING = 4
SCALE = 256 / 224


def make_views(
    picture: Image.Image,
    size: int,
    kind: str,
    mean: NDArray[np.float32],
    crop_share: float = WHOLE_SQUARE,
) -> NDArray[np.uint8]:
    """What a net is asked about one picture, (views, size, size, 3).

    Args:
        picture: RGB of any size.
        size: the net's input, in pixels.
        kind: one of `VIEWS`.
        mean: what the net subtracts, 0..255, (3,) or (size, size, 3): padded with it, a place is
            zero to the net, as in training.
        crop_share: what the net sees of a picture, as `to_input` takes it; ten crops are taken
            from the whole square, scaled so that one of them has this share of its side.
    """
    if kind != TEN_CROP:
        upright = to_input(picture, size, crop_share)[None]
        return np.concatenate([upright, _mirrored(upright)]) if kind == FLIP else upright
    small = size < SMALL_INPUT
    if small:
        crops = _padded_crops(to_input(picture, size, crop_share), mean)
    else:
        crops = _scaled_crops(picture, size, _scaled_side(size, crop_share))
    return np.concatenate([crops, _mirrored(crops)])


def describe(kind: str, size: int, crop_share: float = WHOLE_SQUARE) -> str:
    """What was done, in a sentence; empty where it was nothing special."""
    if kind == ONE:
        return ""
    if kind == FLIP:
        return "Mean of 2 views: the picture and its mirror image."
    how = (
        f"padded by {PADDING} pixels, as in training"
        if size < SMALL_INPUT
        else f"scaled to {_scaled_side(size, crop_share)} pixels"
    )
    return (
        f"Mean of 10 views: four corners and the centre of the picture {how}, each also mirrored."
    )


def _mirrored(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(images[:, :, ::-1])


def _corners_and_centre(most: int) -> list[tuple[int, int]]:
    """Top and left of the five crops that can be moved by `most` pixels."""
    return [(0, 0), (0, most), (most, 0), (most, most), (most // 2, most // 2)]


def _padded_crops(seen: NDArray[np.uint8], mean: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(size, size, 3) → (5, size, size, 3). The mean belongs to places of the net's input."""
    size = len(seen)
    ground = np.broadcast_to(mean.round().astype(np.uint8), seen.shape)
    wide = np.pad(seen, [(PADDING, PADDING), (PADDING, PADDING), (0, 0)])
    inside = np.pad(
        np.ones((size, size, 1), bool), [(PADDING, PADDING), (PADDING, PADDING), (0, 0)]
    )
    crops = []
    for top, left in _corners_and_centre(2 * PADDING):
        part = np.s_[top : top + size, left : left + size]
        crops.append(np.where(inside[part], wide[part], ground))
    return np.stack(crops)


def _scaled_side(size: int, crop_share: float) -> int:
    return round(size * SCALE if crop_share == WHOLE_SQUARE else size / crop_share)


def _scaled_crops(picture: Image.Image, size: int, side: int) -> NDArray[np.uint8]:
    wide = to_input(picture, side)
    places = _corners_and_centre(len(wide) - size)
    return np.stack([wide[top : top + size, left : left + size] for top, left in places])
