"""Files made to be slow cost no more than sound ones: a sentence or a picture, at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.resnet_core.slow_pictures import SLOW_PICTURES

resource = pytest.importorskip("resource")  # Windows has no such limits
ROOT = Path(__file__).resolve().parents[2]
CPU_SECONDS = 5
"""Of those that are read, each took more, or more memory, before; now all take less than 1 s."""
MEMORY_BYTES = 3 * 2**30
READ = """
import sys
from pathlib import Path
from resnet_core.errors import PictureError
from resnet_core.pictures import read_picture
try:
    print("read", *read_picture(Path(sys.argv[1])).size)
except PictureError as error:
    print(error)
"""
SAID = {
    "gif_of_comments": "too many pieces",
    "gif_of_frames": "read 1 1",
    "tiff_of_pages": "read 1 1",
    "tiff_of_strips": "lists that are too long",
    "tiff_of_one_value": "read 1 1",
    "bmp_of_a_jump": "run-length coded BMP",
    "bmp_of_a_row": "run-length coded BMP",
    "bmp_of_runs": "too many pieces",
    "png_of_chunks": "too many pieces",
    "png_of_exif": "read 8 8",
    "jpeg_of_comments": "too many pieces",
    "jpeg_of_scans": "too many times",
}


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))


@pytest.mark.parametrize("name", SLOW_PICTURES)
def test_it_is_read_or_refused_within_time_and_memory(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(SLOW_PICTURES[name]())
    done = subprocess.run(
        [sys.executable, "-c", READ, file], cwd=ROOT, capture_output=True, text=True,
        preexec_fn=limit,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert SAID[name] in done.stdout and not done.stderr  # no thousand warnings either
