"""Medians of rounds with bootstrap intervals, and percentiles where there are samples enough."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log

import numpy as np

CONFIDENCE = 0.95
RESAMPLES = 2000


def median_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The median and its 95 % bootstrap interval, by percentiles of resampled medians."""
    data = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    drawn = np.median(rng.choice(data, (RESAMPLES, len(data))), axis=1)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(np.median(data)), float(low), float(high)


def samples_needed(share: float) -> int:
    """How many samples hold, with 99.87 % (three sigma), at least one above the percentile.

    For the 99th that is 662: fewer can't tell it from the largest seen.
    """
    return ceil(log(1 - 0.9987) / log(share))


def percentiles(latencies_ms: Sequence[float]) -> dict[str, float | None]:
    """p50, p90 and p99 in milliseconds; None where the samples do not suffice."""
    found: dict[str, float | None] = {}
    for number in (50, 90, 99):
        enough = len(latencies_ms) >= samples_needed(number / 100)
        found[f"p{number}_ms"] = float(np.percentile(latencies_ms, number)) if enough else None
    return found
