"""What a study's figures decide: each claim, the title of its plot, and what is written of both."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from scipy import stats

from benchmarks.__main__ import main
from benchmarks.depth.page import render_verdicts
from benchmarks.depth.report import as_table, study_csv
from benchmarks.depth.results import find_cell, read_results
from benchmarks.depth.statistics import (
    own_spread,
    runs_to_place,
)
from benchmarks.depth.study import SHIPPED_FOLDER, read_study
from benchmarks.depth.verdicts import Outcome, judge
from benchmarks.figures.depth import depth_figure, title
from tests.benchmarks.cells import cell, find_verdict


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
        said = find_verdict(found, f"ResNet v1 {depth} reproduces")
        is_out_of_reach = 0.5 - above < sure
        assert said.outcome is (Outcome.TOO_CLOSE if is_out_of_reach else Outcome.TOO_FEW)
        assert (said.more_runs is None) == is_out_of_reach


def test_the_command_tells_it_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["depth-report", "--study", str(SHIPPED_FOLDER / "cifar10-fast-30")]) == 0
    (said,) = capsys.readouterr().out.split("ResNet v1 44 reproduces")[1:]
    told = said.split("\n\n")[0]
    assert "TOO CLOSE TO TELL." in told and told.endswith("200 runs a net would not decide it.")


def test_claims_follow_from_the_figures() -> None:
    cells = [
        cell("plain", 20, [20.0, 20.4], [22.0, 22.5]), cell("plain", 56, [50.0, 52.0], [48.0, 51.0]),
        cell("resnet_v1", 20, [14.0, 14.2], [15.0, 15.3]), cell("resnet_v1", 56, [11.0, 11.1], [15.1, 15.0]),
        cell("highway", 56, [12.0, 12.1], [16.9, 17.2]),
    ]  # fmt: skip
    found = judge(cells, epochs=5)
    assert find_verdict(found, "plain nets do worse on training").outcome is Outcome.SHOWN
    assert find_verdict(found, "plain nets do worse on test").outcome is Outcome.SHOWN
    assert find_verdict(found, "ResNet v1 nets do better on training").outcome is Outcome.SHOWN
    undecided = find_verdict(found, "ResNet v1 nets do better on test")
    assert undecided.outcome is Outcome.NOT_SHOWN and (undecided.more_runs or 0) > 0
    assert (
        find_verdict(found, "Skip connections cure it", "56 layers", "test").outcome
        is Outcome.SHOWN
    )
    assert find_verdict(found, "Highway is not better").outcome is Outcome.SHOWN
    paper = find_verdict(found, "ResNet v1 20 reproduces")
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
    assert find_verdict(judge(cells, 200), "plain", "test").outcome is Outcome.REFUTED
    single = [cell("plain", 20, [20.0], [20.0]), cell("plain", 56, [50.0], [50.0])]
    lonely = find_verdict(judge(single, 200), "plain", "test")
    assert lonely.outcome is Outcome.TOO_FEW and lonely.more_runs == 1
    good = find_verdict(judge([cell("resnet_v1", 20, [1.0], [8.5])], 182), "reproduces")
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
    found = find_verdict(judge([cell("resnet_v1", 20, errors, errors)], 182), "reproduces")
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
    wide = find_verdict(judge([cell("resnet_v1", 20, [8.0, 9.5], [8.0, 9.5])], 182), "reproduces")
    assert wide.outcome is Outcome.TOO_CLOSE and wide.more_runs is None
    assert wide.still_needed == "200 runs a net would not decide it."
    near = find_verdict(judge([cell("resnet_v1", 20, [8.7, 8.9], [8.7, 8.9])], 182), "reproduces")
    assert near.outcome is Outcome.TOO_FEW and near.more_runs and near.still_needed


def test_table_and_csv_hold_the_same_figures() -> None:
    cells = [cell("plain", 20, [20.0, 21.0], [22.0, 22.0]), cell("resnet_v2", 20, [9.0], [10.0])]
    (first, second) = csv.DictReader(io.StringIO(study_csv(cells)))
    assert float(first["train_error_percent"]) == 20.5 and second["test_half_width"] == ""
    table = as_table(cells)
    assert "20.50 ± 6.35 %" in table and "ResNet v2  20     1      9.00 %" in table
