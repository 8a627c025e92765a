"""Room for the pixels of pictures that are decoded at the same time, in one process.

A picture of 120 million pixels is a gigabyte while it is decoded. One is fine; forty at once, from
as many people or tabs, would fill the memory: those that find no room wait for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition


class PictureRoom:
    """So many pixels, which threads share."""

    def __init__(self, pixels: int):
        self.pixels = pixels
        self._taken = 0
        self._given_back = Condition()

    @contextmanager
    def take(self, pixels: int) -> Iterator[None]:
        """Wait for room for a picture, and give it back at the end.

        A picture larger than the room has it for itself.
        """
        with self._given_back:
            self._given_back.wait_for(
                lambda: not self._taken or self._taken + pixels <= self.pixels
            )
            self._taken += pixels
        try:
            yield
        finally:
            with self._given_back:
                self._taken -= pixels
                self._given_back.notify_all()
