"""What glibc does with freed pixels, seen in processes of their own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

# A first large block raises glibc's own threshold when it is freed; those after it come from the
# heap, and the small one at its top keeps all of it from going back.
PINNED = """
import ctypes, sys
from pathlib import Path
if sys.argv[1] == "steady":
    from ui.steady_memory import give_back_what_is_freed
    assert give_back_what_is_freed()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def held_mb():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024
def block(size):
    place = libc.malloc(size)
    ctypes.memset(place, 1, size)
    return place
libc.free(block(20 * 2**20))
before = held_mb()
blocks = [block(10 * 2**20) for _ in range(20)]
pin = block(64 * 2**10)
for place in blocks:
    libc.free(place)
print(held_mb() - before)
"""


def grown_mb(how: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", PINNED, how], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator keeps nothing")
def test_freed_pixels_go_back_to_the_system_below_what_is_still_in_use() -> None:
    assert grown_mb("steady") < 20
    assert grown_mb("as it comes") > 150
