"""How glibc's allocator deals with what is freed: given back to the system, or kept for the next."""

from __future__ import annotations

import ctypes
import sys
from enum import IntEnum


class Malloc(IntEnum):
    """Parameters of mallopt(3), as malloc.h numbers them."""

    TRIM_THRESHOLD = -1
    MMAP_THRESHOLD = -3
    ARENA_MAX = -8


def set_malloc(limits: dict[Malloc, int]) -> bool:
    """Set parameters for this process; False where the system's allocator is another."""
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl has none, and keeps nothing
        return False
    answers = [mallopt(parameter, value) for parameter, value in limits.items()]
    return all(answers)  # all are asked, also after one that refused
