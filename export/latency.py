"""Percentiles of latencies, given only where there are samples enough to tell them."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log

import numpy as np

SURELY = 0.9987  # three sigma


def samples_needed(share: float) -> int:
    """How many samples hold, with 99.87 % (three sigma), at least one above the percentile.

    For the 99th that is 662: fewer can't tell it from the largest seen.
    """
    return ceil(log(1 - SURELY) / log(share))


def percentiles(latencies_ms: Sequence[float]) -> dict[str, float | None]:
    """p50, p90 and p99 in milliseconds; None where the samples do not suffice."""
    found: dict[str, float | None] = {}
    for number in (50, 90, 99):
        enough = len(latencies_ms) >= samples_needed(number / 100)
        found[f"p{number}_ms"] = float(np.percentile(latencies_ms, number)) if enough else None
    return found
