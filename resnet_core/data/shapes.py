"""The built-in synthetic set: ten outlines on busy ground, drawn from a seed, no network needed.

A shape's class is its outline alone. Colour, place, size, rotation, stretch, a striped ground,
two bars that may cross the shape, and noise all vary and tell nothing, so that a net has to
put edges together over several layers to find it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet_core.data.source import Arrays

Floats = NDArray[Any]  # float32 throughout; numpy can not say so of every expression

SIDE = 32
TRAIN_IMAGES, TEST_IMAGES = 10_000, 2_000
SEED = 20_151_210


def _circle(x: Floats, y: Floats) -> Floats:
    return np.hypot(x, y) - 0.85


def _ring(x: Floats, y: Floats) -> Floats:
    return np.abs(np.hypot(x, y) - 0.7) - 0.25


def _crescent(x: Floats, y: Floats) -> Floats:
    return np.maximum(np.hypot(x, y) - 0.95, 0.75 - np.hypot(x - 0.45, y))


def _half_disc(x: Floats, y: Floats) -> Floats:
    return np.maximum(np.hypot(x, y + 0.4) - 1.0, -(y + 0.4))


def _polygon(sides: int, x: Floats, y: Floats) -> Floats:
    angles = 2 * np.pi * np.arange(sides, dtype=np.float32) / sides
    planes = [x * np.cos(a) + y * np.sin(a) for a in angles]
    # The same area for every number of sides, so that size does not give the class away.
    inner_radius = np.sqrt(0.75 * np.pi / (sides * np.tan(np.pi / sides)))
    return np.max(planes, axis=0) - np.float32(inner_radius)


def _star(x: Floats, y: Floats) -> Floats:
    fold = np.pi / 5
    angle = np.abs(np.mod(np.arctan2(y, x) + fold, 2 * fold) - fold)
    radius = np.hypot(x, y)
    # The edge from the tip (radius 1.15) to the notch (radius 0.5), as a half-plane.
    tip = np.array([1.15, 0.0])
    notch = 0.5 * np.array([np.cos(fold), np.sin(fold)])
    normal = np.array([notch[1] - tip[1], tip[0] - notch[0]])
    normal /= np.linalg.norm(normal)
    return (
        (radius * np.cos(angle) - tip[0]) * normal[0] + radius * np.sin(angle) * normal[1]
    ).astype(np.float32)


def _cross(x: Floats, y: Floats) -> Floats:
    upright = np.maximum(np.abs(x) - 0.3, np.abs(y) - 1.0)
    across = np.maximum(np.abs(x) - 1.0, np.abs(y) - 0.3)
    return np.minimum(upright, across)


def _heart(x: Floats, y: Floats) -> Floats:
    side = np.abs(x)
    lobes = np.hypot(side - 0.42, y - 0.3) - 0.5
    point = np.maximum(0.72 * side - 0.69 * y - 0.595, y + 0.045)
    return np.minimum(lobes, point)


# Each maps coordinates to a signed distance in units of the shape's radius, negative inside.
OUTLINES: dict[str, Callable[[Floats, Floats], Floats]] = {
    "circle": _circle,
    "ring": _ring,
    "crescent": _crescent,
    "half disc": _half_disc,
    "triangle": lambda x, y: _polygon(3, x, y),
    "square": lambda x, y: _polygon(4, x, y),
    "pentagon": lambda x, y: _polygon(5, x, y),
    "star": _star,
    "cross": _cross,
    "heart": _heart,
}


def load_shapes_arrays(_data_folder: Path) -> Arrays:
    """Draw the default set, the same on every machine: 10,000 training and 2,000 test images."""
    rng = np.random.default_rng(SEED)
    x_train, y_train = draw_shapes(TRAIN_IMAGES, rng)
    x_test, y_test = draw_shapes(TEST_IMAGES, rng)
    return Arrays(x_train, y_train, x_test, y_test, tuple(OUTLINES)).check("The shapes set")


def draw_shapes(n: int, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw n images (n, 32, 32, 3) uint8 and their classes (n,) uint8, classes in equal shares."""
    labels = rng.permutation(np.arange(n) % len(OUTLINES)).astype(np.uint8)
    ground, ink = _draw_colours(n, rng)
    inside = _draw_outlines(labels, rng)[..., None]
    picture = _draw_stripes(ground, rng) * (1 - inside) + ink[:, None, None] * inside
    for _ in range(2):
        bar = _draw_bar(n, rng)[..., None]
        colour = rng.uniform(0, 1, (n, 1, 1, 3)).astype(np.float32)
        picture = picture * (1 - bar) + colour * bar
    picture += rng.normal(0, 0.04, picture.shape).astype(np.float32)
    return (np.clip(picture, 0, 1) * 255).round().astype(np.uint8), labels


def _draw_colours(n: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Ground and ink (n, 3), well apart so that the shape can be seen."""
    ground = rng.uniform(0.1, 0.9, (n, 3))
    direction = rng.normal(size=(n, 3))
    # Towards the middle, so that clipping does not eat the contrast.
    direction = np.where(ground > 0.5, -1, 1) * np.abs(direction)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    ink = np.clip(ground + direction * rng.uniform(0.6, 0.9, (n, 1)), 0, 1)
    return ground.astype(np.float32), ink.astype(np.float32)


def _grid() -> tuple[Floats, Floats]:
    line = np.arange(SIDE, dtype=np.float32)
    return line[None, None, :], line[None, :, None]


def _column(values: NDArray) -> Floats:
    return values.astype(np.float32)[:, None, None]


def _draw_outlines(labels: NDArray[np.uint8], rng: np.random.Generator) -> Floats:
    """How much of each pixel the shape covers, (n, 32, 32) in 0..1."""
    n = len(labels)
    x, y = _grid()
    radius = _column(rng.uniform(7, 11.5, n))
    angle = _column(rng.uniform(0, 2 * np.pi, n))
    stretch = _column(rng.uniform(0.8, 1.25, n))
    dx = x - _column(rng.uniform(11, 20, n))
    dy = y - _column(rng.uniform(11, 20, n))
    u = (np.cos(angle) * dx + np.sin(angle) * dy) / radius * stretch
    v = (np.cos(angle) * dy - np.sin(angle) * dx) / radius / stretch
    distance = np.empty((n, SIDE, SIDE), np.float32)
    for index, outline in enumerate(OUTLINES.values()):
        chosen = labels == index
        distance[chosen] = outline(u[chosen], v[chosen])
    return np.clip(0.5 - distance * radius, 0, 1)


def _draw_stripes(ground: Floats, rng: np.random.Generator) -> Floats:
    n = len(ground)
    x, y = _grid()
    angle = _column(rng.uniform(0, np.pi, n))
    frequency = _column(rng.uniform(0.3, 1.2, n))
    phase = _column(rng.uniform(0, 2 * np.pi, n))
    wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * frequency + phase)
    strength = rng.uniform(0, 0.12, (n, 1, 1, 3)).astype(np.float32)
    return ground[:, None, None] + wave[..., None] * strength


def _draw_bar(n: int, rng: np.random.Generator) -> Floats:
    x, y = _grid()
    angle = _column(rng.uniform(0, np.pi, n))
    offset = _column(rng.uniform(-14, 14, n))
    half_width = _column(rng.uniform(0.3, 0.9, n))
    across = np.cos(angle) * (x - 15.5) + np.sin(angle) * (y - 15.5) - offset
    return np.clip(half_width + 0.5 - np.abs(across), 0, 1)
