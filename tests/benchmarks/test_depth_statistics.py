"""Intervals and differences against scipy.stats, and the claims that a study's figures decide."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.depth.report import as_table, study_csv
from benchmarks.depth.results import Cell, FinishedRun
from benchmarks.depth.statistics import (
    difference,
    half_width,
    pooled_spread,
    runs_to_place,
    seeds_for_welch,
    seeds_to_show,
)
from benchmarks.depth.study import PlannedRun
from benchmarks.depth.verdicts import Outcome, Verdict, judge
from benchmarks.figures.depth import depth_figure, title
from resnet_core.runs.folder import RunFolder

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
    assert ours is not None and not ours.pooled_over
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


def test_single_runs_are_judged_by_the_spread_of_the_others() -> None:
    """With equal sizes, pooling two groups and comparing them is Student's own test."""
    first, second = [10.0, 10.4], [9.0, 9.6]
    pooled = pooled_spread([first, second, [7.0]])
    assert pooled is not None and pooled.degrees == 2
    theirs = stats.ttest_ind(first, second, equal_var=True)
    error = (pooled.variance * (1 / 2 + 1 / 2)) ** 0.5
    assert (np.mean(first) - np.mean(second)) / error == pytest.approx(theirs.statistic)
    single = difference([12.0], [9.0], pooled)
    assert single is not None and single.pooled_over == "all nets"
    assert single.t == pytest.approx(3.0 / (2 * pooled.variance) ** 0.5)
    assert pooled_spread([[1.0], [2.0]]) is None and difference([1.0], [2.0], None) is None


def test_single_runs_are_judged_by_the_spread_of_their_own_family() -> None:
    """A plain net that spreads widely says nothing of residual ones, nor where its own spread is."""
    wide = [cell("plain", 56, [10.0, 14.0, 12.0], [14.0, 18.0, 16.0])]
    close = [
        cell("resnet_v1", 20, [3.4, 3.5, 3.6], [8.4, 8.5, 8.3]),
        cell("resnet_v1", 110, [1.3], [6.7]),
    ]
    found = verdict(judge(wide + close, 200), "Deeper ResNet v1", "test")
    half = stats.t.ppf(0.975, 2) * np.std([8.4, 8.5, 8.3], ddof=1) * (1 + 1 / 3) ** 0.5
    assert f"{1.7 - half:+.2f} to {1.7 + half:+.2f}" in found.figures
    assert "spread pooled over ResNet v1 nets with several seeds" in found.figures
    assert found.outcome is Outcome.SHOWN
    alone = [cell("resnet_v1", 20, [3.4], [8.4]), cell("resnet_v1", 110, [1.3], [6.7])]
    found = verdict(judge(wide + alone, 200), "Deeper ResNet v1", "test")
    assert "spread pooled over all nets with several seeds" in found.figures
    cure = verdict(judge([*wide, *close, cell("plain", 110, [40.0], [40.0])], 200), "cure", "test")
    assert "pooled over plain and ResNet v1 nets" in cure.figures
    assert "4 degrees of freedom" in cure.figures


def test_what_is_said_of_deep_nets_is_not_judged_by_shallow_ones() -> None:
    for depth, claims in ((20, 0), (56, 1)):
        nets = [cell(f, depth, [5.0, 5.1], [8.0, 8.1]) for f in ("resnet_v1", "resnet_v2")]
        assert sum("Pre-activation" in found.claim for found in judge(nets, 200)) == claims


def test_more_seeds_are_needed_for_smaller_differences() -> None:
    spread = pooled_spread([[0.0, 2**0.5]])  # a variance of 1
    assert spread is not None
    needed = [seeds_to_show(value, spread) for value in (4.0, 1.0, 0.5)]
    assert needed == sorted(needed) and needed[0] is not None and needed[0] >= 2
    seeds = needed[1]
    assert seeds is not None
    for n, is_enough in ((seeds, True), (seeds - 1, False)):
        t = 1.0 / (2 / n) ** 0.5
        assert (2 * stats.t.sf(t, 2 * n - 2) < 0.05) == is_enough
    assert seeds_to_show(0.0, spread) is None and seeds_to_show(0.001, spread) is None


def test_more_seeds_are_needed_where_one_net_spreads_more_than_the_other() -> None:
    first, second = [14.0, 16.0], [9.4, 9.5]
    seeds = seeds_for_welch(first, second)
    assert seeds is not None and seeds > 2
    for n, is_enough in ((seeds, True), (seeds - 1, False)):
        found = stats.ttest_ind_from_stats(
            np.mean(first), np.std(first, ddof=1), n, np.mean(second), np.std(second, ddof=1), n,
            equal_var=False,
        )  # fmt: skip
        assert (found.pvalue < 0.05) == is_enough
    assert seeds_for_welch(first, [14.99, 15.0]) is None


def test_a_verdict_of_spread_nets_names_the_runs_that_it_lacks() -> None:
    # By a common spread two seeds would do; Welch's test has one degree of freedom, and lacks one.
    cells = [
        cell("plain", 20, [4.37, 4.50], [9.49, 9.39]),
        cell("plain", 56, [11.61, 13.02], [14.66, 16.05]),
    ]
    for verdict in judge(cells, epochs=30)[:2]:
        assert verdict.outcome is Outcome.NOT_SHOWN
        assert ", 1 degree of freedom, Welch" in verdict.figures
        assert verdict.still_needed == "It would take about 2 more runs to decide it."


def cell(family: str, depth: int, train: list[float], test: list[float]) -> Cell:
    runs = [
        FinishedRun(
            PlannedRun(seed, depth, family), RunFolder(Path("nowhere")),
            {"train_error_percent": a, "test_error_percent": b, "params": 10 * depth,
             "multiply_adds": 1000 * depth, "train_seconds": 60.0},
        )
        for seed, (a, b) in enumerate(zip(train, test, strict=True))
    ]  # fmt: skip
    return Cell(family, depth, tuple(runs))


def verdict(verdicts: list[Verdict], *words: str) -> Verdict:
    (found,) = [v for v in verdicts if all(word in v.claim for word in words)]
    return found


def test_claims_follow_from_the_figures() -> None:
    cells = [
        cell("plain", 20, [20.0, 20.4], [22.0, 22.5]), cell("plain", 56, [50.0, 52.0], [48.0, 51.0]),
        cell("resnet_v1", 20, [14.0, 14.2], [15.0, 15.3]), cell("resnet_v1", 56, [11.0, 11.1], [15.1, 15.0]),
        cell("highway", 56, [12.0, 12.1], [16.9, 17.2]),
    ]  # fmt: skip
    found = judge(cells, epochs=5)
    assert verdict(found, "plain nets do worse on training").outcome is Outcome.SHOWN
    assert verdict(found, "plain nets do worse on test").outcome is Outcome.SHOWN
    assert verdict(found, "ResNet v1 nets do better on training").outcome is Outcome.SHOWN
    undecided = verdict(found, "ResNet v1 nets do better on test")
    assert undecided.outcome is Outcome.NOT_SHOWN and (undecided.more_runs or 0) > 0
    assert verdict(found, "Skip connections cure it", "56 layers", "test").outcome is Outcome.SHOWN
    assert verdict(found, "Highway is not better").outcome is Outcome.SHOWN
    paper = verdict(found, "ResNet v1 20 reproduces")
    assert paper.outcome is Outcome.NOT_SHOWN and "after 5 epochs" in paper.figures
    assert not [v for v in found if "ResNet v2" in v.claim]


def test_the_plots_title_claims_no_more_than_the_test_bears() -> None:
    worse = [
        cell("plain", 20, [1.0, 1.0], [20.0, 20.4]),
        cell("plain", 56, [1.0, 1.0], [50.0, 51.0]),
    ]
    level = [cell("resnet_v1", 20, [1.0], [17.8]), cell("resnet_v1", 56, [1.0], [17.6])]
    assert title(worse + level) == (
        "Plain gets worse from 20 to 56 layers: 20.2 % → 50.5 % test error; "
        "ResNet v1 stays about level from 20 to 56 layers: 17.8 % → 17.6 % test error"
    )
    assert title(level).startswith("ResNet v1 goes from 20")
    apart = [
        cell("plain", 20, [1.0, 1.0], [9.49, 9.39]),
        cell("plain", 56, [1.0, 1.0], [14.66, 16.05]),
    ]
    assert title(apart).startswith("Plain seems to get worse from 20 to 56 layers")
    figure = depth_figure(worse + level, papers=True)
    (papers,) = [trace for trace in figure.data if trace.name == "papers"]
    assert list(papers.y) == [8.75, 6.97] and papers.marker.symbol == "diamond-open"
    assert {trace.line.dash for trace in figure.data if trace.name.endswith(", train")} == {
        "6px,4px"
    }


def test_the_opposite_and_too_few_runs_are_said() -> None:
    cells = [
        cell("plain", 20, [30.0, 30.1], [30.0, 30.2]),
        cell("plain", 56, [20.0, 20.1], [20.0, 20.3]),
    ]
    assert verdict(judge(cells, 200), "plain", "test").outcome is Outcome.REFUTED
    single = [cell("plain", 20, [20.0], [20.0]), cell("plain", 56, [50.0], [50.0])]
    lonely = verdict(judge(single, 200), "plain", "test")
    assert lonely.outcome is Outcome.TOO_FEW and lonely.more_runs == 1
    good = verdict(judge([cell("resnet_v1", 20, [1.0], [8.5])], 182), "reproduces")
    assert good.outcome is Outcome.TOO_FEW and "at least 1 more run" in good.still_needed
    assert judge([], 5) == []


@pytest.mark.parametrize(
    ("errors", "outcome"),
    [
        ([8.70, 8.75, 8.80, 8.72], Outcome.SHOWN),
        ([8.0, 9.4, 8.6, 8.2], Outcome.TOO_FEW),  # below the paper's on average, and says nothing
        ([8.9, 9.0, 9.3, 9.4], Outcome.TOO_FEW),
        ([9.9, 10.0, 10.1, 10.0], Outcome.NOT_SHOWN),
    ],
)
def test_a_figure_is_reproduced_where_the_interval_ends_within_the_margin(
    errors: list[float], outcome: Outcome
) -> None:
    """The interval is Student's for a figure of one run more (a prediction interval)."""
    half = stats.t.ppf(0.975, 3) * np.std(errors, ddof=1) * (1 + 1 / 4) ** 0.5
    gap = np.mean(errors) - 8.75
    assert (gap + half <= 0.5) == (outcome is Outcome.SHOWN)
    assert (gap - half > 0.5) == (outcome is Outcome.NOT_SHOWN)
    found = verdict(judge([cell("resnet_v1", 20, errors, errors)], 182), "reproduces")
    assert found.outcome is outcome and "0.5 points" in found.claim
    assert f"{gap - half:+.2f} to {gap + half:+.2f}" in found.figures


def test_the_runs_that_place_a_net_beside_the_papers_are_counted() -> None:
    errors = [8.7, 9.0, 8.6]
    spread = pooled_spread([errors])
    assert spread is not None
    needed = runs_to_place(0.5, 3, spread)
    assert needed is not None and needed > 3
    for runs, is_enough in ((needed, True), (needed - 1, False)):
        half = stats.t.ppf(0.975, runs - 1) * np.std(errors, ddof=1) * (1 + 1 / runs) ** 0.5
        assert (half <= 0.5) == is_enough
    # The spread of the one run that the paper reports stays, however many are ours.
    assert runs_to_place(1.9 * spread.variance**0.5, 3, spread) is None
    wide = verdict(judge([cell("resnet_v1", 20, [8.0, 9.5], [8.0, 9.5])], 182), "reproduces")
    assert wide.outcome is Outcome.TOO_FEW and wide.more_runs is None
    assert "200 runs would not decide it" in wide.figures and not wide.still_needed
    near = verdict(judge([cell("resnet_v1", 20, [8.7, 8.9], [8.7, 8.9])], 182), "reproduces")
    assert near.outcome is Outcome.TOO_FEW and near.more_runs and near.still_needed


def test_table_and_csv_hold_the_same_figures() -> None:
    cells = [cell("plain", 20, [20.0, 21.0], [22.0, 22.0]), cell("resnet_v2", 20, [9.0], [10.0])]
    (first, second) = csv.DictReader(io.StringIO(study_csv(cells)))
    assert float(first["train_error_percent"]) == 20.5 and second["test_half_width"] == ""
    table = as_table(cells)
    assert "20.50 ± 6.35 %" in table and "ResNet v2  20     1      9.00 %" in table
