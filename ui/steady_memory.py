"""Memory that pictures took is given back to the system, so that an app that runs for weeks stays small."""

from __future__ import annotations

import ctypes
import sys

# malloc.h; see mallopt(3).
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
ARENAS = 2
LARGE_BYTES = 128 * 2**10


def give_back_what_is_freed() -> bool:
    """Have glibc keep no freed pixels; False where the system's allocator is another.

    Left alone, it makes up to eight arenas a core, one for each thread that asks at the same time,
    and after the first large picture it keeps blocks of up to 32 MB in them. Call it before many
    threads run: arenas that exist stay.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl has none, and keeps nothing
        return False
    limits = {
        M_ARENA_MAX: ARENAS,
        M_MMAP_THRESHOLD: LARGE_BYTES,
        M_TRIM_THRESHOLD: LARGE_BYTES,
    }
    return all(mallopt(name, value) for name, value in limits.items())
