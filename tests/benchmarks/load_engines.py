"""Engines whose right answers can be told: an image shows its own number."""

from __future__ import annotations

from time import sleep

import numpy as np


class Echo:
    """Answers with what an image shows: its own number, low and high byte."""

    name = "echo"

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def run(self, images: np.ndarray) -> np.ndarray:
        self.sizes.append(len(images))
        sleep(0.0005)  # else LoadGen draws very many queries for its shortest length
        return images[:, 0, 0, :2].astype(np.float32)


class Rolling(Echo):
    """Hands the answers of a batch to the wrong images."""

    def run(self, images: np.ndarray) -> np.ndarray:
        return np.roll(super().run(images), 1, axis=0)


class Failing(Echo):
    def run(self, images: np.ndarray) -> np.ndarray:
        if len(self.sizes) > 30:
            raise RuntimeError("out of memory")
        return super().run(images)


def numbered_images(count: int) -> np.ndarray:
    """Images that show their own numbers, (count, 2, 2, 3) uint8."""
    images = np.zeros((count, 2, 2, 3), np.uint8)
    images[..., 0], images[..., 1] = (
        part[:, None, None] for part in (np.arange(count) % 256, np.arange(count) // 256)
    )
    return images
