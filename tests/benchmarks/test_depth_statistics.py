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
    theirs = stats.ttest_ind(first, second, equal_var=False, alternative="greater")
    low, high = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    ours = difference(first.tolist(), second.tolist(), None)
    assert ours is not None and not ours.is_pooled
    assert (ours.t, ours.degrees, ours.p_above) == pytest.approx(
        (theirs.statistic, theirs.df, theirs.pvalue)
    )
    assert (ours.value - ours.half_width, ours.value + ours.half_width) == pytest.approx(
        (low, high)
    )


def test_single_runs_are_judged_by_the_spread_of_the_others() -> None:
    """With equal sizes, pooling two groups and comparing them is Student's own test."""
    first, second = [10.0, 10.4], [9.0, 9.6]
    pooled = pooled_spread([first, second, [7.0]])
    assert pooled is not None and pooled.degrees == 2
    theirs = stats.ttest_ind(first, second, equal_var=True, alternative="greater")
    error = (pooled.variance * (1 / 2 + 1 / 2)) ** 0.5
    assert (np.mean(first) - np.mean(second)) / error == pytest.approx(theirs.statistic)
    single = difference([12.0], [9.0], pooled)
    assert single is not None and single.is_pooled
    assert single.t == pytest.approx(3.0 / (2 * pooled.variance) ** 0.5)
    assert pooled_spread([[1.0], [2.0]]) is None and difference([1.0], [2.0], None) is None


def test_more_seeds_are_needed_for_smaller_differences() -> None:
    spread = pooled_spread([[0.0, 2**0.5]])  # a variance of 1
    assert spread is not None
    needed = [seeds_to_show(value, spread) for value in (4.0, 1.0, 0.5)]
    assert needed == sorted(needed) and needed[0] is not None and needed[0] >= 2
    seeds = needed[1]
    assert seeds is not None
    for n, is_enough in ((seeds, True), (seeds - 1, False)):
        t = 1.0 / (2 / n) ** 0.5
        assert (stats.t.sf(t, 2 * n - 2) < 0.05) == is_enough
    assert seeds_to_show(0.0, spread) is None and seeds_to_show(0.001, spread) is None


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
    assert good.outcome is Outcome.SHOWN
    assert judge([], 5) == []


def test_table_and_csv_hold_the_same_figures() -> None:
    cells = [cell("plain", 20, [20.0, 21.0], [22.0, 22.0]), cell("resnet_v2", 20, [9.0], [10.0])]
    (first, second) = csv.DictReader(io.StringIO(study_csv(cells)))
    assert float(first["train_error_percent"]) == 20.5 and second["test_half_width"] == ""
    table = as_table(cells)
    assert "20.50 ± 6.35 %" in table and "ResNet v2  20     1      9.00 %" in table
