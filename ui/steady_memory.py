"""Memory that pictures took is given back to the system, so that an app that runs for weeks stays small."""

from __future__ import annotations

from resnet_core.malloc import Malloc, set_malloc

ARENAS = 2
LARGE_BYTES = 128 * 2**10


def give_back_what_is_freed() -> bool:
    """Have glibc keep no freed pixels; False where the system's allocator is another.

    Left alone, it makes up to eight arenas a core, one for each thread that asks at the same time,
    and after the first large picture it keeps blocks of up to 32 MB in them. Call it before many
    threads run: arenas that exist stay.
    """
    return set_malloc(
        {
            Malloc.ARENA_MAX: ARENAS,
            Malloc.MMAP_THRESHOLD: LARGE_BYTES,
            Malloc.TRIM_THRESHOLD: LARGE_BYTES,
        }
    )
