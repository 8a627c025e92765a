"""Medians of rounds with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence

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
