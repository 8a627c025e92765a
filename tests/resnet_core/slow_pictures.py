"""Files within the size that is allowed, of few pixels or none, made to be read for minutes.

Each is sound by its format's own rules, or sound enough for Pillow to go on.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

FILE_BYTES = 48_000_000
"""Close to the largest file that is read at all."""
SHORT, LONG, RATIONAL, UNDEFINED = 3, 4, 5, 7
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, STRIP_ROWS, STRIP_BYTES = 273, 274, 278, 279


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _gif_around(extension: bytes) -> bytes:
    """A GIF of one picture, with `extension` before it."""
    gif = _saved(Image.new("P", (8, 8)), "GIF")
    start = 13 + 3 * 2 ** ((gif[10] & 7) + 1)  # header, screen, global table of colours
    return gif[:start] + extension + gif[start:]


def gif_of_comments() -> bytes:
    """One comment of 48 MB; joining its pieces one by one copies it a hundred thousand times."""
    return _gif_around(b"\x21\xfe" + (b"\xff" + b"x" * 255) * (FILE_BYTES // 256) + b"\x00")


def gif_of_frames() -> bytes:
    """Three million frames of a pixel."""
    gif = _saved(Image.new("P", (1, 1)), "GIF")
    frame = gif[gif.index(b"\x2c") : -1]
    return gif[:-1] + frame * (FILE_BYTES // len(frame)) + b"\x3b"


def _directory(tags: list[tuple[int, int, int, int]]) -> bytes:
    """Entries of (tag, type, count, value or offset), without the place of the next directory."""
    entries = (
        struct.pack("<HHLHH", tag, kind, count, value, 0)
        if kind == SHORT and count == 1
        else struct.pack("<HHLL", tag, kind, count, value)
        for tag, kind, count, value in tags
    )
    return struct.pack("<H", len(tags)) + b"".join(entries)


def _tiff(tags: list[tuple[int, int, int, int]], after: bytes = b"", following: int = 0) -> bytes:
    """One directory at byte 8, then `after`."""
    return b"II*\0\x08\0\0\0" + _directory(tags) + struct.pack("<L", following) + after


def _directory_end(tags: int) -> int:
    return 8 + 2 + 12 * tags + 4


def _grey_tiff_tags(height: int, strips: int, offsets: int) -> list[tuple[int, int, int, int]]:
    return [
        (WIDTH, LONG, 1, 1), (HEIGHT, LONG, 1, height), (BITS, SHORT, 1, 8), (COMPRESSION, SHORT, 1, 1),
        (PHOTOMETRIC, SHORT, 1, 1), (STRIP_OFFSETS, LONG, strips, offsets), (STRIP_ROWS, LONG, 1, 1),
    ]  # fmt: skip


def tiff_of_pages() -> bytes:
    """Half a million pictures of a pixel, each directory naming the next."""
    page = _directory(_grey_tiff_tags(1, 1, 8))
    first, size = 8 + len(page) + 4, len(page) + 4
    places = range(first + size, FILE_BYTES, size)
    pages = b"".join(page + struct.pack("<L", place) for place in places)
    return _tiff(_grey_tiff_tags(1, 1, 8), pages + page + bytes(4), following=first)


def tiff_of_strips() -> bytes:
    """Twelve million rows of a pixel, each a strip of its own."""
    rows = FILE_BYTES // 4
    return _tiff(_grey_tiff_tags(rows, rows, _directory_end(7)), struct.pack("<L", 8) * rows)


def tiff_of_one_value() -> bytes:
    """A thousand tags that all point at the same 40 MB."""
    tags = [(40_000 + tag, UNDEFINED, 40_000_000, 8) for tag in range(1000)]
    return _tiff([*_grey_tiff_tags(1, 1, 8), *tags], bytes(FILE_BYTES))


def _run_length_bmp(width: int, height: int, codes: bytes) -> bytes:
    colours = b"".join(bytes([i, 255 - i, 0, 0]) for i in range(256))
    at = 14 + 40 + len(colours)
    head = struct.pack("<LllHHLLllLL", 40, width, height, 1, 8, 1, len(codes), 0, 0, 256, 0)
    return b"BM" + struct.pack("<LHHL", at + len(codes), 0, 0, at) + head + colours + codes


def bmp_of_a_jump() -> bytes:
    """1 kB: from the first pixel of one row of 10 million to 255 rows further down."""
    return _run_length_bmp(10_000_000, 1, b"\x00\x02\xff\xff\x00\x01")


def bmp_of_a_row() -> bytes:
    """1 kB: a row of 119 million that ends after its first pixel, and is filled one by one."""
    return _run_length_bmp(119_000_000, 1, b"\x01\x07\x00\x00\x00\x01")


def bmp_of_runs() -> bytes:
    """Two bytes for each of 4 million pixels."""
    return _run_length_bmp(2000, 2000, (b"\x01\x07" * 2000 + b"\x00\x00") * 2000 + b"\x00\x01")


def _png_with(name: bytes, body: bytes, times: int = 1) -> bytes:
    png = _saved(Image.new("L", (8, 8)), "PNG")
    chunk = struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))
    return png[:33] + chunk * times + png[33:]  # after the signature and IHDR


def png_of_chunks() -> bytes:
    """Four million empty chunks of a private kind."""
    return _png_with(b"prVt", b"", FILE_BYTES // 12)


def png_of_exif() -> bytes:
    """EXIF that turns the picture, and six million fractions in it."""
    count = FILE_BYTES // 8
    tags = [(ORIENTATION, SHORT, 1, 6), (50_000, RATIONAL, count, _directory_end(2))]
    return _png_with(b"eXIf", _tiff(tags, struct.pack("<LL", 1, 3) * count))


def _jpeg_after_start(inserted: bytes) -> bytes:
    jpeg = _saved(Image.new("L", (8, 8)), "JPEG")
    return jpeg[:2] + inserted + jpeg[2:]


def jpeg_of_comments() -> bytes:
    """Twelve million empty comments."""
    return _jpeg_after_start(b"\xff\xfe\x00\x02" * (FILE_BYTES // 4))


def jpeg_of_scans() -> bytes:
    """The last scan of a progressive JPEG of 64 megapixels, 2,000 times."""
    jpeg = _saved(Image.new("L", (8000, 8000)), "JPEG", progressive=True)
    last = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    return jpeg[:-2] + last * 2000 + jpeg[-2:]


SLOW_PICTURES: dict[str, Callable[[], bytes]] = {
    make.__name__: make
    for make in (
        gif_of_comments, gif_of_frames, tiff_of_pages, tiff_of_strips, tiff_of_one_value,
        bmp_of_a_jump, bmp_of_a_row, bmp_of_runs, png_of_chunks, png_of_exif, jpeg_of_comments,
        jpeg_of_scans,
    )
}  # fmt: skip
