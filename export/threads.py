"""How many threads an answer may take, and how many cores there are for them."""

from __future__ import annotations

import os


def allowed_threads() -> int:
    """`OMP_NUM_THREADS`, which PyTorch heeds by itself; 0, which is every core, where it says none."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() else 0


def usable_cores() -> int:
    """Those this process may run on, which in a container are often fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
