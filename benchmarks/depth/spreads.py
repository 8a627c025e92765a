"""By whose spread nets are compared: each by its own, single runs by one of their family's nets."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.depth.results import Cell
from benchmarks.depth.statistics import Difference, Spread, own_spread, widest_difference


def compare_nets(cells: Sequence[Cell], split: str, first: Cell, second: Cell) -> Difference | None:
    """First net's mean error less the second's, in points; None while no net has two runs.

    Args:
        cells: all nets of the study, these among them.
    """
    ours, theirs = (spreads_for(cells, split, cell) for cell in (first, second))
    choices = [(one, other) for one in ours for other in theirs]
    return widest_difference(first.errors(split), second.errors(split), choices)


def compare_with_paper(
    cells: Sequence[Cell], cell: Cell, test_error_percent: float
) -> Difference | None:
    """A net's mean test error less the paper's, in points; None while no net has two runs.

    The paper's figure counts as one run, with the spread of ours.
    """
    choices = [(spread, spread) for spread in spreads_for(cells, "test", cell)]
    return widest_difference(cell.errors("test"), [test_error_percent], choices)


def spreads_for(cells: Sequence[Cell], split: str, cell: Cell) -> list[Spread]:
    """What single runs of a net may spread by: its own runs' spread, if it has several.

    Else those of its family's nets that have: the comparison takes the one that leaves it the widest
    interval, as nets of one family differ, plain ones of 20 and 56 layers 15-fold. Else those of
    every net that has.
    """
    family = [each for each in cells if each.family == cell.family]
    for nets in ([cell], family, cells):
        found = [own_spread(each.errors(split), each.title) for each in nets]
        if known := [spread for spread in found if spread]:
            return known
    return []


def assumed_in_words(found: Difference, *titles: str) -> str:
    """Which nets of a comparison lend their spread to which; empty where each has its own.

    Args:
        titles: of either side, in the comparison's order.
    """
    lent: dict[Spread, list[str]] = {}
    for spread, title in zip(found.spreads, titles, strict=True):
        if spread.net != title:
            lent.setdefault(spread, []).append(title)
    return "; ".join(
        f"{' and '.join(names)} taken to spread as {spread.net}, sd {spread.deviation:.2f} points"
        for spread, names in lent.items()
    )
