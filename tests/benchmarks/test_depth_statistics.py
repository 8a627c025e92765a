"""Intervals and differences against scipy.stats, and the claims that a study's figures decide."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.__main__ import main
from benchmarks.depth.page import render_verdicts
from benchmarks.depth.report import as_table, study_csv
from benchmarks.depth.results import Cell, FinishedRun, find_cell, read_results
from benchmarks.depth.spreads import compare_nets
from benchmarks.depth.statistics import (
    Difference,
    Spread,
    difference,
    half_width,
    own_spread,
    runs_to_place,
    seeds_to_show,
)
from benchmarks.depth.study import SHIPPED_FOLDER, PlannedRun, read_study
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
    found = verdict(judge(wide + close, 200), "Deeper ResNet v1", "test")
    theirs = [np.var([8.4, 8.5, 8.3], ddof=1) / 3, np.var([7.1, 7.5, 7.3], ddof=1)]
    degrees = sum(theirs) ** 2 / sum(part**2 / 2 for part in theirs)
    half = max(
        stats.t.ppf(0.975, degrees) * sum(theirs) ** 0.5, stats.t.ppf(0.975, 2) * theirs[1] ** 0.5
    )
    assert f"{1.7 - half:+.2f} to {1.7 + half:+.2f}" in found.figures
    assert "ResNet v1 110 taken to spread as ResNet v1 56, sd 0.20 points" in found.figures
    assert found.outcome is Outcome.SHOWN

    nets = [*wide, *close, cell("plain", 110, [40.0], [40.0])]
    cure = verdict(judge(nets, 200), "cure", "110 layers", "test")
    assert "Plain 110 taken to spread as Plain 56, sd 2.00 points; ResNet v1 110" in cure.figures
    assert "2 degrees of freedom" in cure.figures
    alone = [cell("resnet_v1", 20, [3.4], [8.4]), cell("resnet_v1", 110, [1.3], [6.7])]
    found = verdict(judge(wide + alone, 200), "Deeper ResNet v1", "test")
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


def test_what_no_number_of_runs_decides_is_not_called_too_few_of_them() -> None:
    close = [cell("plain", 20, [9.0, 9.2], [9.0, 9.2]), cell("plain", 56, [9.0, 9.201], [9.0, 9.2])]
    for found in judge(close, epochs=30):
        page = render_verdicts([found])
        assert found.outcome is Outcome.TOO_CLOSE and found.more_runs is None
        assert ">too close to tell<" in page and "200 runs a net would not decide it" in page


def test_the_shipped_study_tells_what_is_too_close_from_what_lacks_runs() -> None:
    """Where the bound is nearer than the paper's one run is sure to 95 %, runs of ours can't help."""
    study = read_study(SHIPPED_FOLDER / "cifar10-fast-30")
    cells = read_results(study)
    widest = find_cell(cells, "resnet_v1", 56)
    assert widest is not None
    sure = stats.norm.ppf(0.975) * np.std(widest.errors("test"), ddof=1)
    found = judge(cells, study.recipe.epochs)
    for depth, above in ((32, 0.19), (44, 0.34), (56, 0.30), (110, 0.09)):
        said = verdict(found, f"ResNet v1 {depth} reproduces")
        is_out_of_reach = 0.5 - above < sure
        assert said.outcome is (Outcome.TOO_CLOSE if is_out_of_reach else Outcome.TOO_FEW)
        assert (said.more_runs is None) == is_out_of_reach


def test_the_command_tells_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["depth-report", "--study", str(SHIPPED_FOLDER / "cifar10-fast-30")]) == 0
    (said,) = capsys.readouterr().out.split("ResNet v1 44 reproduces")[1:]
    told = said.split("\n\n")[0]
    assert "TOO CLOSE TO TELL." in told and told.endswith("200 runs a net would not decide it.")


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
        ([8.5, 9.0, 8.7, 8.73], Outcome.TOO_FEW),  # below the paper's on average, and says nothing
        ([8.0, 9.4, 8.6, 8.2], Outcome.TOO_CLOSE),
        ([8.9, 9.0, 9.3, 9.4], Outcome.TOO_CLOSE),
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
    spread = own_spread(errors)
    assert spread is not None
    needed = runs_to_place(0.5, 3, spread)
    assert needed is not None and needed > 3
    for runs, is_enough in ((needed, True), (needed - 1, False)):
        half = stats.t.ppf(0.975, runs - 1) * np.std(errors, ddof=1) * (1 + 1 / runs) ** 0.5
        assert (half <= 0.5) == is_enough
    # The spread of the one run that the paper reports stays, however many are ours.
    assert runs_to_place(1.9 * spread.variance**0.5, 3, spread) is None
    wide = verdict(judge([cell("resnet_v1", 20, [8.0, 9.5], [8.0, 9.5])], 182), "reproduces")
    assert wide.outcome is Outcome.TOO_CLOSE and wide.more_runs is None
    assert wide.still_needed == "200 runs a net would not decide it."
    near = verdict(judge([cell("resnet_v1", 20, [8.7, 8.9], [8.7, 8.9])], 182), "reproduces")
    assert near.outcome is Outcome.TOO_FEW and near.more_runs and near.still_needed


def test_table_and_csv_hold_the_same_figures() -> None:
    cells = [cell("plain", 20, [20.0, 21.0], [22.0, 22.0]), cell("resnet_v2", 20, [9.0], [10.0])]
    (first, second) = csv.DictReader(io.StringIO(study_csv(cells)))
    assert float(first["train_error_percent"]) == 20.5 and second["test_half_width"] == ""
    table = as_table(cells)
    assert "20.50 ± 6.35 %" in table and "ResNet v2  20     1      9.00 %" in table
