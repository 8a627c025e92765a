"""Means, intervals and differences of a few runs each: Student's t, said with its assumptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance

from scipy.special import stdtr, stdtrit  # Student's t: distribution and quantile

CONFIDENCE = 0.95
MOST_SEEDS = 200
Part = tuple[float, float]
"""A mean's squared standard error and the degrees of freedom it is known with."""


@dataclass(frozen=True)
class Spread:
    """A variance of single runs and its degrees of freedom."""

    variance: float
    degrees: float
    net: str = ""
    """Whose, in words: spreads of one net are one estimate. Empty where nobody shares it."""

    @property
    def deviation(self) -> float:
        """The standard deviation, in the values' unit."""
        return sqrt(self.variance)


Spreads = tuple[Spread, Spread]


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
    spreads: Spreads
    """Of single runs of either group, which this is judged by."""

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


def own_spread(values: Sequence[float], net: str = Spread.net) -> Spread | None:
    """The spread of these runs; None of a single one.

    Args:
        net: whose runs these are, in words.
    """
    return Spread(variance(values), len(values) - 1, net) if len(values) > 1 else None


def difference(
    first: Sequence[float], second: Sequence[float], spreads: Spreads | None
) -> Difference | None:
    """Compare two means by Welch's test, each with a variance of its own.

    Args:
        spreads: of single runs of each group, another net's where it has one run; each group's own
            where this is None.

    Returns:
        None where a group has one run and there is no spread to judge it by.
    """
    used = spreads or _own_spreads(first, second)
    if used is None:
        return None
    value = fmean(first) - fmean(second)
    runs = len(first), len(second)
    parts = _parts(used, runs)
    error, degrees = _welch(parts)
    if error == 0:  # equal figures: a difference is one for certain, or there is none
        t, p = (float("inf"), 0.0) if value else (0.0, 1.0)
        return Difference(value, 0.0, t, degrees, p, used)
    t = value / error
    half = _two_sided(degrees) * error
    if min(runs) == 1:
        # Satterthwaite's degrees rise faster than the error where the better known mean gets less
        # sure: without this, an interval against one run may be narrower than against three.
        half = max(half, *(_two_sided(known) * sqrt(squared) for squared, known in parts))
    return Difference(value, half, t, degrees, 2 * float(stdtr(degrees, -abs(t))), used)


def widest_difference(
    first: Sequence[float], second: Sequence[float], choices: Sequence[Spreads]
) -> Difference | None:
    """The comparison by that choice of spreads which leaves the widest interval; None without any.

    Of equally wide ones that with the larger error.
    """
    found = (difference(first, second, spreads) for spreads in choices)
    return max(filter(None, found), key=lambda each: (each.half_width, -abs(each.t)), default=None)


def _own_spreads(first: Sequence[float], second: Sequence[float]) -> Spreads | None:
    ours, theirs = own_spread(first), own_spread(second)
    return (ours, theirs) if ours and theirs else None


def _parts(spreads: Spreads, runs: tuple[int, int]) -> list[Part]:
    """What adds up to the squared error of a difference; one part where one estimate serves both."""
    first, second = spreads
    if first.net and first == second:
        return [(first.variance * (1 / runs[0] + 1 / runs[1]), first.degrees)]
    return [(each.variance / n, each.degrees) for each, n in zip(spreads, runs, strict=True)]


def _welch(parts: Sequence[Part]) -> tuple[float, float]:
    """Standard error of a difference of means, and Welch and Satterthwaite's degrees of freedom."""
    squared = sum(part for part, _ in parts)
    if squared == 0:
        return 0.0, float(sum(degrees for _, degrees in parts))
    return sqrt(squared), squared**2 / sum(part**2 / degrees for part, degrees in parts)


def seeds_to_show(value: float, spreads: Spreads, least: int = 2) -> int | None:
    """How many seeds of each net would show a difference of this size by Welch's test; None if over 200.

    Were it what it seems, and were each net to go on spreading as it does: a net that spreads more
    than the other leaves the test fewer degrees of freedom than a common spread would.

    Args:
        least: to count from: how many the net with more of them has.
    """
    for seeds in range(max(2, least), MOST_SEEDS + 1):
        error, degrees = _welch([(each.variance / seeds, seeds - 1) for each in spreads])
        if abs(value) > _two_sided(degrees) * error:
            return seeds
    return None


def runs_to_place(distance: float, runs: int, spread: Spread) -> int | None:
    """How many runs a net needs for its interval to reach no further than `distance`.

    The interval is that of its mean less a figure of one run, whose spread stays, so that a short
    distance is out of reach of any number of runs.

    Args:
        distance: in the values' unit, above zero.
        runs: how many it has.
        spread: of single runs; with two runs or more the net will have its own.

    Returns:
        The number of runs, those it has included; None if over 200.
    """
    for number in range(runs + 1, MOST_SEEDS + 1):
        error = sqrt(spread.variance * (1 + 1 / number))
        if _two_sided(number - 1) * error <= distance:
            return number
    return None


def _two_sided(degrees: float) -> float:
    """Student's t that a two-sided interval reaches to."""
    return float(stdtrit(degrees, (1 + CONFIDENCE) / 2))
