"""What a study shows, claim by claim, computed: each with its statistic and what it still lacks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

from benchmarks.depth.papers import PAPER_EPOCHS, PAPER_MARGIN_POINTS, paper_figure
from benchmarks.depth.results import (
    SPLITS,
    Cell,
    family_in_words,
    find_cell,
    of_family,
)
from benchmarks.depth.spreads import assumed_in_words, compare_nets, compare_with_paper
from benchmarks.depth.statistics import MOST_SEEDS, Difference, runs_to_place, seeds_to_show
from resnet_core.models.config import FAMILIES
from resnet_core.plural import counted

DEEP = 56
"""Layers from which a claim about deep nets can be judged; the paper's has 110 and more."""
SPLIT_WORDS = {"train": "on training images", "test": "on test images"}


class Outcome(Enum):
    """How a claim stands."""

    SHOWN = "shown"
    NOT_SHOWN = "not shown"
    REFUTED = "the opposite is shown"
    TOO_FEW = "too few runs"
    TOO_CLOSE = "too close to tell"
    """Open, and 200 runs of each net would leave it open."""


@dataclass(frozen=True)
class Verdict:
    """A claim, how it stands, the figures behind that, and the runs it would still take."""

    claim: str
    outcome: Outcome
    figures: str
    more_runs: int | None = None
    """How many runs more would decide it, were the difference what it seems; None if unknown or none."""

    @property
    def still_needed(self) -> str:
        """A sentence on the runs it would take; empty where none or unknown."""
        if self.outcome is Outcome.TOO_CLOSE:
            return f"{MOST_SEEDS} runs a net would not decide it."
        if not self.more_runs:
            return ""
        runs = "at least 1 more run" if self.more_runs == 1 else f"about {self.more_runs} more runs"
        return f"It would take {runs} to decide it."

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"outcome": self.outcome.value}


def judge(cells: Sequence[Cell], epochs: float) -> list[Verdict]:
    """Every claim that the study has nets for.

    Args:
        epochs: how long each run trained, said where the papers trained longer.
    """
    verdicts: list[Verdict] = []
    for split in SPLITS:
        judge_split = _Judge(cells, split)
        verdicts += judge_split.depth("plain", is_worse=True)
        verdicts += judge_split.depth("resnet_v1", is_worse=False)
        verdicts += judge_split.depth("resnet_v2", is_worse=False)
        verdicts += judge_split.rivals("resnet_v1", "plain", "Skip connections cure it")
    on_test = _Judge(cells, "test")
    verdicts += on_test.rivals("resnet_v2", "resnet_v1", "Pre-activation is better when deep", DEEP)
    verdicts += on_test.highway()
    verdicts += [_against_paper(cell, cells, epochs) for cell in cells if _has_paper(cell)]
    return verdicts


@dataclass(frozen=True)
class _Judge:
    """Compares nets on one split."""

    cells: Sequence[Cell]
    split: str

    def depth(self, family: str, is_worse: bool) -> list[Verdict]:
        """The deepest net of a family against its shallowest."""
        nets = of_family(self.cells, family)
        if len(nets) < 2:
            return []
        word = "worse" if is_worse else "better"
        claim = f"Deeper {family_in_words(family)} nets do {word} {SPLIT_WORDS[self.split]}"
        higher, lower = (nets[-1], nets[0]) if is_worse else (nets[0], nets[-1])
        return [self._judge(claim, higher, lower)]

    def rivals(self, better: str, worse: str, words: str, least: int = 0) -> list[Verdict]:
        """Two families at the greatest depth that both have, if it is `least` layers or more."""
        shared = {c.depth for c in of_family(self.cells, better)} & {
            c.depth for c in of_family(self.cells, worse)
        }
        depth = max(shared, default=0)
        if not depth or depth < least:
            return []
        low, high = (find_cell(self.cells, family, depth) for family in (better, worse))
        assert low is not None and high is not None
        claim = f"{words}: at {depth} layers {FAMILIES[better].title} does better than {family_in_words(worse)} {SPLIT_WORDS[self.split]}"
        return [self._judge(claim, high, low)]

    def highway(self) -> list[Verdict]:
        """Whether gated skips are no better than plain ones: refuted only if they are shown to be."""
        depths = {c.depth for c in of_family(self.cells, "highway")}
        shared = depths & {c.depth for c in of_family(self.cells, "resnet_v1")}
        if not shared:
            return []
        gated = find_cell(self.cells, "highway", max(shared))
        residual = find_cell(self.cells, "resnet_v1", max(shared))
        assert gated is not None and residual is not None
        claim = (
            f"Highway is not better than ResNet v1 at {max(shared)} layers {SPLIT_WORDS['test']}"
        )
        return [self._judge(claim, gated, residual)]

    def _judge(self, claim: str, higher: Cell, lower: Cell) -> Verdict:
        """Whether the first net's error is shown to be the higher one."""
        found = compare_nets(self.cells, self.split, higher, lower)
        figures = f"{_error(higher, self.split)} against {_error(lower, self.split)}"
        if found is None:
            gap = higher.mean(self.split) - lower.mean(self.split)
            return Verdict(
                claim, Outcome.TOO_FEW,
                f"{figures}: {gap:+.2f} points, but one run a net has no spread to judge it by", 1,
            )  # fmt: skip
        outcome = Outcome.NOT_SHOWN
        if found.is_above:
            outcome = Outcome.SHOWN
        elif found.is_below:
            outcome = Outcome.REFUTED
        figures += f": {describe_difference(found, higher.title, lower.title)}"
        if outcome is not Outcome.NOT_SHOWN:
            return Verdict(claim, outcome, figures)
        return _open(claim, outcome, figures, _more_runs(found, higher, lower))


def _open(claim: str, outcome: Outcome, figures: str, more_runs: int | None) -> Verdict:
    """A verdict that more runs would decide, or that none would."""
    return Verdict(claim, Outcome.TOO_CLOSE if more_runs is None else outcome, figures, more_runs)


def _more_runs(found: Difference, *nets: Cell) -> int | None:
    """None where 200 of each net would not show the difference."""
    runs = [len(net.runs) for net in nets]
    seeds = seeds_to_show(found.value, found.spreads, max(runs))
    return None if seeds is None else sum(max(0, seeds - number) for number in runs)


def describe_difference(found: Difference, *titles: str) -> str:
    """The difference in points with its interval and test, and what was assumed for it.

    Args:
        titles: of either side, in the comparison's order.
    """
    degrees = f"{counted(round(found.degrees), 'degree')} of freedom"
    return (
        f"{found.value:+.2f} points (95 % interval {found.low:+.2f} to {found.high:+.2f}; "
        f"t = {found.t:.1f}, {degrees}, {assumed_in_words(found, *titles) or 'Welch'})"
    )


def _error(cell: Cell, split: str) -> str:
    seeds = "one seed" if len(cell.runs) == 1 else f"{len(cell.runs)} seeds"
    return f"{cell.title}: {cell.mean(split):.2f} % ({seeds})"


def _has_paper(cell: Cell) -> bool:
    return paper_figure(cell.family, cell.depth) is not None


def _against_paper(cell: Cell, cells: Sequence[Cell], epochs: float) -> Verdict:
    """Whether our mean is shown to be no more than a margin above the paper's figure.

    That none is shown to be above is no reproduction: of few runs it says little.
    """
    figure = paper_figure(cell.family, cell.depth)
    assert figure is not None
    claim = (
        f"{cell.title} reproduces the paper's {figure.test_error_percent:.2f} % "
        f"(at most {PAPER_MARGIN_POINTS:g} points above it)"
    )
    length = counted(epochs, "epoch")
    budget = "" if epochs >= PAPER_EPOCHS else f"after {length}; the paper's took {PAPER_EPOCHS}; "
    ours, theirs = _error(cell, "test"), f"({budget}{figure.source})"
    found = compare_with_paper(cells, cell, figure.test_error_percent)
    if found is None:
        gap = cell.mean("test") - figure.test_error_percent
        lacks = f"{gap:+.2f} points, but one run a net has no spread to judge it by"
        return Verdict(claim, Outcome.TOO_FEW, f"{ours}: {lacks} {theirs}", 1)
    outcome = _placed(found)
    said = describe_difference(found, cell.title, "the paper's run")
    figures = f"{ours}: {said} {theirs}"
    if outcome is not Outcome.TOO_FEW:
        return Verdict(claim, outcome, figures)
    return _open(claim, outcome, figures, _more_to_place(found, len(cell.runs)))


def _placed(found: Difference) -> Outcome:
    """On which side of the margin the whole interval is."""
    if found.high <= PAPER_MARGIN_POINTS:
        return Outcome.SHOWN
    return Outcome.NOT_SHOWN if found.low > PAPER_MARGIN_POINTS else Outcome.TOO_FEW


def _more_to_place(found: Difference, runs: int) -> int | None:
    """None where 200 would not: the spread of the paper's one run stays, however many are ours."""
    needed = runs_to_place(abs(found.value - PAPER_MARGIN_POINTS), runs, found.spreads[0])
    return None if needed is None else needed - runs
