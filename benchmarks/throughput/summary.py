"""What several rounds say of a rate: a median, and how well it is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean, median

import numpy as np

from benchmarks.depth.statistics import half_width

CONFIDENCE = 0.95
RESAMPLES = 2000
LEAST_PROCESSES = 3
"""From so many on they tell how the next one will do."""
INTERVAL, RANGE = "95 % interval", "range"


@dataclass(frozen=True)
class Spread:
    """Where a rate lies, in its unit."""

    low: float
    high: float
    kind: str
    """`INTERVAL`, or `RANGE`: the lowest and highest round."""


def spread_of(rates: Sequence[float], starts: Sequence[int] = ()) -> Spread | None:
    """The 95 % interval of a rate over processes, or the range of its rounds where they are few.

    Processes of one engine differ by more than their rounds do, so the interval is over their
    medians: Student's t on logarithms. Resampling three processes, as a bootstrap would, gives intervals
    that hold the truth in 77 to 89 of 100 cases (five: 89), these in 94 to 97. Of fewer than three
    processes no interval is worth its name.

    Args:
        starts: the process that gave each rate; not said, they are all of one.

    Returns:
        None of a single rate.
    """
    medians = list(log_medians(rates, starts).values())
    if len(medians) >= LEAST_PROCESSES:
        middle, half = fmean(medians), half_width(medians) or 0.0
        return Spread(exp(middle - half), exp(middle + half), INTERVAL)
    return Spread(min(rates), max(rates), RANGE) if len(rates) > 1 else None


def rate_of(rates: Sequence[float], starts: Sequence[int] = ()) -> float:
    """The rate that is told: the median of the rounds; over three or more processes the geometric
    mean of their medians, which is the middle of the interval.

    Args:
        starts: as for `spread_of`.
    """
    medians = list(log_medians(rates, starts).values())
    return exp(fmean(medians)) if len(medians) >= LEAST_PROCESSES else median(rates)


def log_medians(rates: Sequence[float], starts: Sequence[int] = ()) -> dict[int, float]:
    """By process, the logarithm of the median of its rates."""
    groups: dict[int, list[float]] = {}
    for start, rate in zip(starts or [1] * len(rates), rates, strict=False):
        groups.setdefault(start, []).append(rate)
    return {start: log(median(group)) for start, group in groups.items()}


def median_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """The median of one process's rounds and its 95 % bootstrap interval, by percentiles."""
    data = np.asarray(values, dtype=float)
    rng = np.random.default_rng(seed)
    drawn = np.median(rng.choice(data, (RESAMPLES, len(data))), axis=1)
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(np.median(data)), float(low), float(high)
