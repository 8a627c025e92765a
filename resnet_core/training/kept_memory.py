"""Memory that one training step frees is kept for the next, which asks for the same again.

Left alone, glibc gives a step's activations back to the system, and the kernel zeroes every page
anew for the next step: some 48,000 page faults and a sixth of a second of ResNet-20's step of half
a second on two AVX2 cores, batch 128. With AMX the step is shorter and the faults are as dear.
"""

from __future__ import annotations

import os

from resnet_core.malloc import Malloc, set_malloc

LARGEST_KEPT = 2**30
"""Bytes: activations of photo nets too; a larger block is mapped by itself and given back."""
NEVER = 2**31 - 1
LARGE_PAGES = "THP_MEM_ALLOC_ENABLE"


def keep_what_is_freed() -> bool:
    """Have glibc keep a step's memory until the process ends, and PyTorch take it in large pages.

    For a process that trains on a CPU and then ends: it holds what its largest step took. PyTorch
    looks for large pages (2 MB, of which the chip finds the address sooner) once, when it makes
    its first tensor: call this before.

    Returns:
        False where the system's allocator is not glibc's.
    """
    os.environ.setdefault(LARGE_PAGES, "1")
    return set_malloc({Malloc.MMAP_THRESHOLD: LARGEST_KEPT, Malloc.TRIM_THRESHOLD: NEVER})
