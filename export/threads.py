"""How many threads an answer may take."""

from __future__ import annotations

import os


def allowed_threads() -> int:
    """`OMP_NUM_THREADS`, which PyTorch heeds by itself; 0, which is every core, where it says none."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) if first.isdecimal() else 0
