"""The images that LoadGen asks about, in memory only while it says so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Samples:
    """Test images by index; those that are loaded can be taken.

    Args:
        images: pixels, (N, size, size, 3) uint8; may lie on disk.
    """

    def __init__(self, images: NDArray[np.uint8]):
        self._images = images
        self._loaded = np.empty((0, *images.shape[1:]), np.uint8)
        self._place: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._images)

    def load(self, indices: Sequence[int]) -> None:
        """Bring these into memory; LoadGen may name one twice."""
        wanted = list(dict.fromkeys([*self._place, *indices]))
        self._loaded = np.array(self._images[wanted])
        self._place = {index: place for place, index in enumerate(wanted)}

    def unload(self, indices: Sequence[int]) -> None:
        """Let go of these."""
        kept = [index for index in self._place if index not in set(indices)]
        self._place = {}
        self.load(kept)

    def take(self, indices: Sequence[int]) -> NDArray[np.uint8]:
        """Pixels of these, in this order, (n, size, size, 3) uint8.

        Raises:
            KeyError: one of them is not loaded.
        """
        return self._loaded[[self._place[index] for index in indices]]
