"""What a picture's file may cost to read.

Compiled decoders cost what a picture's pixels cost. Around them Pillow has parsers in Python that
do as a file tells them, piece by piece: 50 MB of tiny pieces, or a list of ten million numbers,
hold a core for minutes and gigabytes of memory, whatever the picture's size. No camera and no
program writes such files.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from resnet_core.errors import PictureError

if TYPE_CHECKING:
    from PIL import Image

MOST_READS = 200_000
"""A 50-megapixel PNG is read in some 20,000 pieces, a large scan in TIFF in as many as its rows."""
MOST_NUMBERS = 200_000
"""In all lists of a TIFF's first directory; two for each strip of rows are usual."""
MOST_RUN_LENGTH_PIXELS = 4_000_000
"""Of a run-length coded BMP, which Pillow decodes in Python."""
MOST_SCANNED_PIXELS = 4_000_000_000
"""Pixels times scans of a JPEG: a progressive one goes over its pixels some ten times."""

_TIFF_ORDERS = {b"II": "<", b"MM": ">"}
_OPAQUE_TYPES = {1, 2, 7}
"""Bytes, text and undefined (TIFF 6.0, section 2), which stay one object however many they are."""


class CountedBytes(io.BytesIO):
    """A file in memory that can't be read in more than `MOST_READS` pieces."""

    _reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        """As any file's. Raises PictureError when it was asked too often."""
        self._reads += 1
        if self._reads > MOST_READS:
            raise _unusual("is made of too many pieces")
        return super().read(size)


def refuse_long_lists(data: bytes) -> None:
    """Of a TIFF, before Pillow makes an object of every number in it; other files pass.

    Raises:
        PictureError: the lists of its first directory hold more than `MOST_NUMBERS`.
    """
    order = _TIFF_ORDERS.get(data[:2])
    if order is None:
        return
    try:
        numbers = sum(
            count for kind, count in _tiff_entries(data, order) if kind not in _OPAQUE_TYPES
        )
    except (struct.error, OverflowError):  # no TIFF, or a damaged one: Pillow says which
        return
    if numbers > MOST_NUMBERS:
        raise _unusual("holds lists that are too long")


def refuse_slow_coding(image: Image.Image, data: bytes) -> None:
    """Of an opened picture, before its pixels are decoded.

    Raises:
        PictureError: its pixels are coded in a way that takes far longer than their number says.
    """
    pixels = image.width * image.height
    run_lengths = image.format == "BMP" and image.info.get("compression") in (1, 2)
    if run_lengths and pixels > MOST_RUN_LENGTH_PIXELS:
        raise _unusual("is a run-length coded BMP that is too large to be decoded")
    is_jpeg = image.format in ("JPEG", "MPO")
    if is_jpeg and pixels * data.count(b"\xff\xda") > MOST_SCANNED_PIXELS:
        raise _unusual("goes over its pixels too many times")


def _tiff_entries(data: bytes, order: str) -> list[tuple[int, int]]:
    """Type and length of each entry of the first directory (TIFF 6.0, section 2; BigTIFF alike)."""
    is_big = data[2:3] == b"\x2b"  # by the byte that Pillow goes by
    start, word, head, entry = (8, "Q", "Q", "HHQQ") if is_big else (4, "L", "H", "HHLL")
    (at,) = struct.unpack_from(order + word, data, start)
    (length,) = struct.unpack_from(order + head, data, at)
    size = struct.calcsize(order + entry)
    body = data[at + struct.calcsize(order + head) :][: length * size]
    whole = body[: len(body) // size * size]
    return [(kind, count) for _, kind, count, _ in struct.iter_unpack(order + entry, whole)]


def _unusual(what: str) -> PictureError:
    return PictureError(
        f"This picture's file {what}: open it in another program, save it again as PNG or JPEG, "
        "and try that."
    )
