"""Medians of rounds with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CONFIDENCE = 0.95
RESAMPLES = 2000


def median_interval(
    values: Sequence[float], starts: Sequence[int] = (), seed: int = 0
) -> tuple[float, float, float]:
    """The median and its 95 % bootstrap interval, by percentiles of resampled medians.

    Processes of one engine differ by more than their rounds do, so where there are several,
    processes are drawn first and then rounds within each: drawn alone, rounds would tell how well
    these very processes are known, and not how the next one will do.

    Args:
        starts: the process that gave each value; not said, they are all of one.
    """
    data = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    if len(set(starts)) > 1:
        drawn = _medians_of_processes(data, np.asarray(starts), rng)
    else:
        drawn = np.median(rng.choice(data, (RESAMPLES, len(data))), axis=1)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(np.median(data)), float(low), float(high)


def _medians_of_processes(
    data: NDArray[np.float64], starts: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """The median of each resample, (RESAMPLES,); a process drawn gives as many rounds as it has."""
    groups = [data[starts == start] for start in np.unique(starts)]
    sizes = np.array([len(group) for group in groups])
    most = int(sizes.max())
    # A row a process, short ones filled up: an interrupted process has fewer rounds.
    rates = np.array([np.pad(g, (0, most - len(g)), constant_values=np.nan) for g in groups])
    process = rng.integers(len(groups), size=(RESAMPLES, len(groups), 1))
    own = np.broadcast_to(sizes[process], (RESAMPLES, len(groups), most))
    drawn = rates[process, rng.integers(own)]
    drawn = np.where(np.arange(most) < own, drawn, np.nan)
    medians: NDArray[np.float64] = np.nanmedian(drawn.reshape(RESAMPLES, -1), axis=1)
    return medians
