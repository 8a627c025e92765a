"""Means, intervals and differences of a few runs each: Student's t, said with its assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance

from scipy.special import stdtr, stdtrit  # Student's t: distribution and quantile

CONFIDENCE = 0.95
MOST_SEEDS = 200


@dataclass(frozen=True)
class Spread:
    """A variance of single runs and its degrees of freedom."""

    variance: float
    degrees: float
    nets: str = "all nets"
    """Whose, in words."""


@dataclass(frozen=True)
class Difference:
    """Mean of one group less that of another, in the values' unit."""

    value: float
    half_width: float
    """Of the two-sided 95 % interval."""
    t: float
    degrees: float
    p: float
    """Two-sided: the chance of a difference as far from zero, were there none."""
    pooled_over: str | None
    """The nets whose spread this is judged by, for want of these nets' own; None where it is theirs."""

    @property
    def low(self) -> float:
        """Of the interval."""
        return self.value - self.half_width

    @property
    def high(self) -> float:
        """Of the interval."""
        return self.value + self.half_width

    @property
    def is_above(self) -> bool:
        """Whether the first group is shown to be higher: the whole interval is above zero."""
        return self.low > 0

    @property
    def is_below(self) -> bool:
        """Whether it is shown to be lower: the whole interval is below zero."""
        return self.high < 0


def half_width(values: Sequence[float]) -> float | None:
    """Half of the mean's 95 % interval; None for a single value."""
    n = len(values)
    if n < 2:
        return None
    return _two_sided(n - 1) * sqrt(variance(values) / n)


def pooled_spread(groups: Sequence[Sequence[float]], nets: str = Spread.nets) -> Spread | None:
    """The spread of single runs within their groups; None while no group has two.

    Args:
        nets: whose groups these are, in words.
    """
    several = [group for group in groups if len(group) > 1]
    degrees = sum(len(group) - 1 for group in several)
    if not degrees:
        return None
    squares = sum((len(group) - 1) * variance(group) for group in several)
    return Spread(squares / degrees, degrees, nets)


def difference(
    first: Sequence[float], second: Sequence[float], pooled: Spread | None
) -> Difference | None:
    """Compare two means: by Welch's test where both have two runs or more, else by `pooled`.

    None where there is no spread to compare with: one run each and nothing pooled.
    """
    value = fmean(first) - fmean(second)
    if len(first) > 1 and len(second) > 1:
        error, degrees = _welch((first, second), (len(first), len(second)))
        pooled_over = None
    elif pooled is not None:
        error = sqrt(pooled.variance * (1 / len(first) + 1 / len(second)))
        degrees, pooled_over = pooled.degrees, pooled.nets
    else:
        return None
    if error == 0:  # equal figures: a difference is one for certain, or there is none
        t, p = (float("inf"), 0.0) if value else (0.0, 1.0)
        return Difference(value, 0.0, t, degrees, p, pooled_over)
    t = value / error
    half = _two_sided(degrees) * error
    return Difference(value, half, t, degrees, 2 * float(stdtr(degrees, -abs(t))), pooled_over)


def _welch(groups: Sequence[Sequence[float]], runs: Sequence[int]) -> tuple[float, float]:
    """Standard error of a difference of means, and Welch and Satterthwaite's degrees of freedom.

    Args:
        groups: values whose spread each mean has.
        runs: how many values each mean is of: these, or as many as there might be.
    """
    parts = [variance(group) / number for group, number in zip(groups, runs, strict=True)]
    squared = sum(parts)
    if squared == 0:
        return 0.0, float(sum(runs) - len(runs))
    below = sum(part**2 / (number - 1) for part, number in zip(parts, runs, strict=True))
    return sqrt(squared), squared**2 / below


def seeds_for_welch(first: Sequence[float], second: Sequence[float]) -> int | None:
    """How many seeds of each net would show their difference by Welch's test; None if over 200.

    Were it what it seems, and were each net to go on spreading as it does: a net that spreads more
    than the other leaves the test fewer degrees of freedom than a common spread would.

    Args:
        first: two values or more.
        second: two values or more.
    """
    value = abs(fmean(first) - fmean(second))
    for seeds in range(max(len(first), len(second)), MOST_SEEDS + 1):
        error, degrees = _welch((first, second), (seeds, seeds))
        if value > _two_sided(degrees) * error:
            return seeds
    return None


def seeds_to_show(value: float, spread: Spread | None) -> int | None:
    """How many seeds a net would show a difference of this size, were it real; None if over 200."""
    if spread is None or value == 0:
        return None
    for seeds in range(2, MOST_SEEDS + 1):
        if abs(value) > _two_sided(2 * seeds - 2) * sqrt(2 * spread.variance / seeds):
            return seeds
    return None


def runs_to_place(distance: float, runs: int, spread: Spread) -> int | None:
    """How many runs a net needs for its interval to reach no further than `distance`.

    The interval is that of its mean less a figure of one run, whose spread stays, so that a short
    distance is out of reach of any number of runs.

    Args:
        distance: in the values' unit, above zero.
        runs: how many it has.
        spread: of single runs; each run more adds a degree of freedom to it.

    Returns:
        The number of runs, those it has included; None if over 200.
    """
    for number in range(runs, MOST_SEEDS + 1):
        error = sqrt(spread.variance * (1 + 1 / number))
        if _two_sided(spread.degrees + number - runs) * error <= distance:
            return number
    return None


def _two_sided(degrees: float) -> float:
    """Student's t that a two-sided interval reaches to."""
    return float(stdtrit(degrees, (1 + CONFIDENCE) / 2))
