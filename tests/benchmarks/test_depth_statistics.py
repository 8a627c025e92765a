"""Intervals and differences of nets against scipy.stats, and the runs it takes to tell them apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.depth.results import Cell, find_cell, read_results
from benchmarks.depth.spreads import compare_nets
from benchmarks.depth.statistics import (
    Difference,
    Spread,
    difference,
    half_width,
    own_spread,
    seeds_to_show,
)
from benchmarks.depth.study import SHIPPED_FOLDER, read_study
from benchmarks.depth.verdicts import Outcome, judge
from tests.benchmarks.cells import cell, find_verdict

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n", [2, 3, 7])
def test_the_interval_is_students(n: int) -> None:
    values = RNG.normal(10, 2, n)
    low, high = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert half_width(values.tolist()) == pytest.approx((high - low) / 2)
    assert half_width([1.0]) is None


@pytest.mark.parametrize(("n", "m", "shift"), [(2, 2, 0.0), (3, 5, 1.0), (4, 2, -3.0)])
def test_the_difference_is_welchs(n: int, m: int, shift: float) -> None:
    first, second = RNG.normal(10 + shift, 1, n), RNG.normal(10, 2, m)
    theirs = stats.ttest_ind(first, second, equal_var=False)
    low, high = theirs.confidence_interval(0.95)
    ours = difference(first.tolist(), second.tolist(), None)
    assert ours is not None
    assert (ours.t, ours.degrees, ours.p) == pytest.approx(
        (theirs.statistic, theirs.df, theirs.pvalue)
    )
    assert (ours.low, ours.high) == pytest.approx((low, high))


def test_a_difference_is_shown_only_where_its_interval_is_clear_of_zero() -> None:
    """One-sided at 5 % the near one would be shown, beside an interval that holds zero."""
    higher, near, far = [10.0, 10.6, 10.9], [9.6, 9.9, 9.2], [9.0, 9.3, 8.6]
    assert 0.05 < stats.ttest_ind(higher, near, equal_var=False).pvalue < 0.1
    for first, second in ((higher, near), (near, higher)):
        found = difference(first, second, None)
        assert found is not None and found.low < 0 < found.high
        assert not found.is_above and not found.is_below
    nets = [cell("plain", 20, near, near), cell("plain", 56, higher, higher)]
    assert {v.outcome for v in judge(nets, 200)} == {Outcome.NOT_SHOWN}
    above, below = difference(higher, far, None), difference(far, higher, None)
    assert above is not None and above.is_above and below is not None and below.is_below
    same = difference([2.0, 2.0], [2.0, 2.0], None)
    assert same is not None and same.p == 1.0 and not same.is_above and not same.is_below


def test_a_single_run_and_the_net_it_is_judged_by_share_one_estimate() -> None:
    """The interval is Student's for one value more (a prediction interval)."""
    values = [10.0, 10.4, 9.9]
    spread = own_spread(values, "Plain 56")
    assert spread is not None
    found = difference([12.0], values, (spread, spread))
    half = stats.t.ppf(0.975, 2) * np.std(values, ddof=1) * (1 + 1 / 3) ** 0.5
    assert found is not None and found.half_width == pytest.approx(half)
    assert found.degrees == 2 and found.p == pytest.approx(2 * stats.t.sf(found.t, 2))
    assert own_spread([1.0]) is None and difference([1.0], [2.0], None) is None


@pytest.mark.parametrize(("wide", "close"), [(1.0, 1.0), (1.0, 0.1)])
def test_an_interval_between_single_runs_covers_the_truth(wide: float, close: float) -> None:
    """Each is judged by three runs of another net that spreads as it does; there is no difference."""
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(2000):
        spreads = [own_spread(rng.normal(0, sd, 3).tolist()) for sd in (wide, close)]
        assert spreads[0] is not None and spreads[1] is not None
        single = [[float(rng.normal(0, sd))] for sd in (wide, close)]
        found = difference(*single, (spreads[0], spreads[1]))
        assert found is not None
        held += found.low <= 0 <= found.high
    assert held / 2000 > 0.94


@pytest.mark.parametrize("degrees", [(1.0, 1.0), (2.0, 2.0), (2.0, 9.0), (9.0, 1.0)])
def test_one_run_never_makes_an_interval_narrower_than_several(
    degrees: tuple[float, float],
) -> None:
    """Of equal spread; by Satterthwaite's degrees alone one run may seem surer than three."""
    for variance in np.logspace(-4, 4, 33):
        spreads = Spread(1.0, degrees[0]), Spread(float(variance), degrees[1])
        for ours in (1, 3):
            one, *several = (_half_width(ours, theirs, spreads) for theirs in (1, 2, 3, 10))
            assert one >= max(several)


def _half_width(ours: int, theirs: int, spreads: tuple[Spread, Spread]) -> float:
    found = difference([1.0] * ours, [0.0] * theirs, spreads)
    assert found is not None
    return found.half_width


def test_a_single_run_is_never_surer_than_a_net_of_its_family_with_several() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        family = [
            cell("plain", 8 + 6 * number, [0.0] * runs, rng.normal(9, sd, runs).tolist())
            for number, (runs, sd) in enumerate([(2, 0.1), (3, 1.0), (9, 0.3), (1, 0.0)])
        ]
        rivals = [
            cell("resnet_v1", 20, [0.0] * 3, rng.normal(8, 0.2, 3).tolist()),
            cell("resnet_v1", 56, [0.0], [7.0]),
        ]
        for rival in rivals:
            *several, single = (_between([*family, *rivals], net, rival) for net in family)
            assert single.half_width >= max(each.half_width for each in several)


def test_in_the_shipped_study_one_run_is_no_surer_than_three() -> None:
    """A single run of 110 layers against another one, and against three of 20 layers."""
    cells = read_results(read_study(SHIPPED_FOLDER / "cifar10-fast-30"))
    single, three, other = (
        find_cell(cells, *net) for net in (("plain", 110), ("plain", 20), ("resnet_v1", 110))
    )
    assert single and three and other and (len(three.runs), len(other.runs)) == (3, 1)
    assert _between(cells, single, other).half_width >= _between(cells, single, three).half_width


def _between(cells: list[Cell], first: Cell, second: Cell) -> Difference:
    found = compare_nets(cells, "test", first, second)
    assert found is not None
    return found


def test_a_single_run_spreads_as_the_widest_net_of_its_own_family() -> None:
    """What other families spread by says nothing, nor does a net that is known to spread less."""
    wide = [cell("plain", 56, [10.0, 14.0, 12.0], [14.0, 18.0, 16.0])]
    close = [
        cell("resnet_v1", 20, [3.4, 3.5, 3.6], [8.4, 8.5, 8.3]),
        cell("resnet_v1", 56, [1.6, 1.6, 1.7], [7.1, 7.5, 7.3]),
        cell("resnet_v1", 110, [1.3], [6.7]),
    ]
    found = find_verdict(judge(wide + close, 200), "Deeper ResNet v1", "test")
    theirs = [np.var([8.4, 8.5, 8.3], ddof=1) / 3, np.var([7.1, 7.5, 7.3], ddof=1)]
    degrees = sum(theirs) ** 2 / sum(part**2 / 2 for part in theirs)
    half = max(
        stats.t.ppf(0.975, degrees) * sum(theirs) ** 0.5, stats.t.ppf(0.975, 2) * theirs[1] ** 0.5
    )
    assert f"{1.7 - half:+.2f} to {1.7 + half:+.2f}" in found.figures
    assert "ResNet v1 110 taken to spread as ResNet v1 56, sd 0.20 points" in found.figures
    assert found.outcome is Outcome.SHOWN

    nets = [*wide, *close, cell("plain", 110, [40.0], [40.0])]
    cure = find_verdict(judge(nets, 200), "cure", "110 layers", "test")
    assert "Plain 110 taken to spread as Plain 56, sd 2.00 points; ResNet v1 110" in cure.figures
    assert "2 degrees of freedom" in cure.figures
    alone = [cell("resnet_v1", 20, [3.4], [8.4]), cell("resnet_v1", 110, [1.3], [6.7])]
    found = find_verdict(judge(wide + alone, 200), "Deeper ResNet v1", "test")
    assert "ResNet v1 20 and ResNet v1 110 taken to spread as Plain 56" in found.figures


def test_what_is_said_of_deep_nets_is_not_judged_by_shallow_ones() -> None:
    for depth, claims in ((20, 0), (56, 1)):
        nets = [cell(f, depth, [5.0, 5.1], [8.0, 8.1]) for f in ("resnet_v1", "resnet_v2")]
        assert sum("Pre-activation" in found.claim for found in judge(nets, 200)) == claims


def test_more_seeds_are_needed_for_smaller_differences() -> None:
    spreads = Spread(1.0, 2), Spread(1.0, 2)
    needed = [seeds_to_show(value, spreads) for value in (4.0, 1.0, 0.5)]
    assert needed == sorted(needed) and needed[0] is not None and needed[0] >= 2
    seeds = needed[1]
    assert seeds is not None
    for n, is_enough in ((seeds, True), (seeds - 1, False)):
        t = 1.0 / (2 / n) ** 0.5
        assert (2 * stats.t.sf(t, 2 * n - 2) < 0.05) == is_enough
    assert seeds_to_show(0.0, spreads) is None and seeds_to_show(0.001, spreads) is None
    assert seeds_to_show(-4.0, spreads, 9) == 9


def test_more_seeds_are_needed_where_one_net_spreads_more_than_the_other() -> None:
    first, second = [14.0, 16.0], [9.4, 9.5]
    found = difference(first, second, None)
    assert found is not None
    seeds = seeds_to_show(found.value, found.spreads)
    assert seeds is not None and seeds > 2
    for n, is_enough in ((seeds, True), (seeds - 1, False)):
        theirs = stats.ttest_ind_from_stats(
            np.mean(first), np.std(first, ddof=1), n, np.mean(second), np.std(second, ddof=1), n,
            equal_var=False,
        )  # fmt: skip
        assert (theirs.pvalue < 0.05) == is_enough
