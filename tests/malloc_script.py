"""Scripts that ask glibc for memory, each in a process of its own: what was set there stays set."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

needs_glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="another allocator has other ways"
)
BLOCK = """
import ctypes
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
def block(size):
    place = libc.malloc(size)
    ctypes.memset(place, 1, size)
    return place
"""


def number_printed(script: str, how: str) -> float:
    """What a script prints that can call `block(size)` and `libc.free`; `how` is its argument."""
    words = [sys.executable, "-c", BLOCK + script, how]
    return float(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
