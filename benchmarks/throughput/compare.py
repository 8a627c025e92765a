"""Two files of results, case by case: how many times faster, and whether that is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from math import exp, log
from statistics import fmean
from typing import Any

from benchmarks.depth.statistics import difference
from benchmarks.throughput.stored import CASE, Row, StoredSpeed, case_of, has_figure
from benchmarks.throughput.summary import LEAST_PROCESSES, log_medians
from resnet_core.errors import ConfigError

SIGNIFICANT = 0.05
FASTER, SLOWER, LEVEL, UNTESTED = "faster", "slower", "no difference shown", "one round: no test"


@dataclass(frozen=True)
class Compared:
    """One case in both files; the ratio is images a second of b over those of a."""

    case: dict[str, Any]
    a_images_per_second: float
    """The geometric mean of what is compared; of a file that holds no rounds, its figure."""
    b_images_per_second: float
    """Likewise."""
    ratio: float
    low: float | None = None
    """Of the ratio's 95 % interval; None where there is nothing to test."""
    high: float | None = None
    t: float | None = None
    degrees: float | None = None
    p: float | None = None
    """Two-sided, of Welch's test on logarithms."""
    p_holm: float | None = None
    """The same, for so many cases at once."""
    unit: str = "rounds"
    """What was compared: rounds, or processes by the medians of their rounds."""

    @property
    def verdict(self) -> str:
        if self.p_holm is None:
            return UNTESTED
        if self.p_holm >= SIGNIFICANT:
            return LEVEL
        return FASTER if self.ratio > 1 else SLOWER

    @property
    def statistic(self) -> str:
        """The test behind the verdict, in figures."""
        if self.t is None or self.p is None or self.p_holm is None:
            return "no spread to test by"
        return (
            f"t = {self.t:.2f}, {self.degrees:.1f} degrees of freedom over {self.unit}, "
            f"p = {self.p:.2g}, {self.p_holm:.2g} after Holm"
        )

    def is_below(self, threshold: float) -> bool:
        """Whether it is shown to be slower, and its whole interval is below a ratio."""
        return self.verdict == SLOWER and self.high is not None and self.high < threshold

    def to_dict(self) -> dict[str, Any]:
        facts = asdict(self)
        return {**facts.pop("case"), **facts, "verdict": self.verdict}


@dataclass(frozen=True)
class Comparison:
    """All that two files have in common, and what only one of them has."""

    rows: tuple[Compared, ...]
    lost: tuple[Row, ...]
    """Cases with a figure in a, and none in b, as b's row or, where b lacks it, a's."""
    gained: tuple[Row, ...]


def compare_speed(a: StoredSpeed, b: StoredSpeed) -> Comparison:
    """Match the cases of two files, and test each by Welch's t on the logarithms of its rates.

    Processes of one engine differ by more than their rounds do: where each side has three or
    more, their medians are what is compared.

    Raises:
        ConfigError: they have no measured case in common.
    """
    ours = {case_of(row): row for row in a.measured}
    theirs = {case_of(row): row for row in b.measured}
    both = [case for case in ours if case in theirs]
    if not both:
        raise ConfigError(
            "These files have no measured case in common: compare results of the same models, "
            "engines, precisions, threads and batch sizes."
        )
    rows = _with_holm([_compare(ours[case], theirs[case]) for case in both])
    known = {case_of(row): row for row in b.rows}
    lost = tuple(known.get(case, row) for case, row in ours.items() if case not in theirs)
    gained = tuple(row for case, row in theirs.items() if case not in ours)
    return Comparison(tuple(rows), lost, gained)


def _compare(a: Row, b: Row) -> Compared:
    case = {key: a[key] for key in CASE}
    first, second, unit = _samples(a, b)
    if not first or not second:
        rates = a["images_per_second"], b["images_per_second"]
        return Compared(case, *rates, rates[1] / rates[0])
    means = exp(fmean(first)), exp(fmean(second))
    found = difference(second, first, None)
    if found is None:
        return Compared(case, *means, means[1] / means[0])
    low, high = exp(found.low), exp(found.high)
    return Compared(
        case, *means, exp(found.value), low, high, found.t, found.degrees, found.p, None, unit
    )


def _samples(a: Row, b: Row) -> tuple[list[float], list[float], str]:
    """Logarithms of what is compared; empty where a file does not hold its rounds."""
    rates = [row.get("rates", ()) for row in (a, b)]
    means = [
        list(log_medians(row.get("rates", ()), row.get("starts", ())).values()) for row in (a, b)
    ]
    if min(map(len, means)) >= LEAST_PROCESSES:
        return means[0], means[1], "processes"
    first, second = ([*map(log, of)] for of in rates)
    return first, second, "rounds"


def _with_holm(rows: Sequence[Compared]) -> list[Compared]:
    """Holm's step-down correction over the cases that were tested."""
    tested = sorted((row for row in rows if row.p is not None), key=lambda row: row.p or 0.0)
    adjusted: dict[int, float] = {}
    highest = 0.0
    for place, row in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - place) * (row.p or 0.0)))
        adjusted[id(row)] = highest
    return [replace(row, p_holm=adjusted.get(id(row))) for row in rows]


def in_words(row: Compared) -> str:
    """1.23 times (1.20 to 1.26): faster."""
    interval = f" ({row.low:.2f} to {row.high:.2f})" if row.low is not None else ""
    return f"{row.ratio:.2f} times{interval}: {row.verdict}"


def summary(found: Comparison) -> str:
    """How many of the cases came out which way."""
    counts = {
        word: sum(row.verdict == word for row in found.rows)
        for word in (FASTER, SLOWER, LEVEL, UNTESTED)
    }
    said = [f"{count} {word}" for word, count in counts.items() if count]
    return f"Of {len(found.rows)} cases in both: {', '.join(said)}."


def failed(found: Comparison) -> list[Row]:
    """Cases of a that b tried and has no figure for: engines that crashed or answered wrongly."""
    return [row for row in found.lost if not has_figure(row) and row["reason"]]


def why_lost(row: Row) -> str:
    """Why b has no figure for a case that a has."""
    if has_figure(row):
        return "not in the second file"
    return str(row["reason"] or "not measured yet")
