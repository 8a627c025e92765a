"""Figures of why: titles follow the data, whatever it says."""

from __future__ import annotations

import re

import pytest

from benchmarks.figures.why_ensemble import ensemble_figure
from benchmarks.figures.why_gradients import geometric_mean, gradient_flow_figures, times
from benchmarks.figures.why_landscape import landscape_figures
from benchmarks.figures.why_responses import response_figure
from benchmarks.figures.why_surgery import surgery_figures
from benchmarks.figures.why_training import training_gradient_figure
from benchmarks.why.stored import Stored
from resnet_core.runs.history import read_history
from tests.written_runs import write_run

MODELS = [
    {"name": "plain20", "family": "plain", "depth": 20},
    {"name": "resnet20_v1", "family": "resnet_v1", "depth": 20},
]


def stored(rows: list[dict], models: list[dict] = MODELS) -> Stored:
    return Stored({"models": models, "classes": 4}, tuple(rows), True)


def flow(model: str, norms: list[float | None], batch_norm: bool = True, seed: int = 0) -> dict:
    return {"model": model, "batch_norm": batch_norm, "seed": seed, "norms": norms}


def operated(model: str, error: float, off=(), swapped=()) -> dict:
    return {
        "model": model, "error_percent": error, "off": list(off), "swapped": list(swapped),
        "stage": 1, "changes_shape": False, "loss": 1.0,
    }  # fmt: skip


def point(model: str, x: float, y: float, loss: float) -> dict:
    return {"model": model, "x": x, "y": y, "loss": loss, "error_percent": 10.0}


def subset(error: float, *members: str) -> dict:
    return {"event": "subset", "members": list(members), "error_percent": error}


@pytest.mark.parametrize(
    ("first", "says"),
    [
        (1e-6, "vanishes: towards the input it shrinks 1 million times in plain20"),
        (5e6, "does not vanish: towards the input it grows 5 million times in plain20"),
        (3.0, "does not vanish: towards the input it changes little (3.0 times larger) in plain20"),
        (None, "does not vanish: towards the input it leaves the range of numbers in plain20"),
    ],
)
def test_what_becomes_of_the_gradient_is_computed(first: float | None, says: str) -> None:
    rows = [flow("plain20", [first, 1.0, 1.0, 7.0])]
    figures = gradient_flow_figures(stored(rows))
    assert figures[True].layout.title.text == f"With batch norm the gradient {says}"
    assert not figures[False].data


def test_random_starts_are_averaged_by_layer() -> None:
    rows = [flow("plain20", [1.0, 4.0, 1.0]), flow("plain20", [100.0, 9.0, None], seed=1)]
    line = gradient_flow_figures(stored(rows))[True].data[0]
    assert list(line.y) == [pytest.approx(10.0), pytest.approx(6.0), None]
    assert list(line.x) == [0, 0.5, 1]
    assert geometric_mean([2.0, 0.0]) is None


def test_ratios_in_words() -> None:
    assert [times(r) for r in (2.54, 340.4, 12_345, 1.43e6, 7e9)] == [
        "2.5", "340", "12,300", "1.43 million", "7 billion",
    ]  # fmt: skip


def test_surgery_tells_the_median_of_what_a_block_is_worth() -> None:
    rows = [operated("plain20", 20.0)]
    rows += [operated("plain20", 20.0 + gain, [n]) for n, gain in enumerate((10, 50, 60), 1)]
    rows += [operated("plain20", 70.0, swapped=[[1, 2]])]
    (figure,) = surgery_figures(stored(rows))
    assert figure.layout.title.text == "Without one block plain20 errs 50.0 points more (median)"
    bars = figure.data[0]
    assert list(bars.x) == [1, 2, 3] and list(bars.y) == [30, 70, 80]
    assert list(figure.data[1].x) == [1.5]
    levels = {trace.name: trace.y[0] for trace in figure.data[2:]}
    assert levels == {"plain20 as trained": 20.0, "guessing": 75.0}


def test_a_survey_that_has_just_begun_can_be_drawn() -> None:
    (figure,) = surgery_figures(stored([operated("plain20", 20.0)]))
    assert figure.layout.title.text == "One block switched off"
    (nothing,) = surgery_figures(stored([]))
    assert not nothing.data


def test_surfaces_share_their_axes_and_leave_open_what_is_not_measured() -> None:
    rows = [point("plain20", x, y, 4.0) for x in (-1, 0, 1) for y in (-1, 0, 1)]
    rows += [point("resnet20_v1", 0, 0, 0.4), point("resnet20_v1", 1, 1, 40.0)]
    first, second = landscape_figures(stored(rows))
    assert first.layout.scene.zaxis.range == second.layout.scene.zaxis.range
    assert first.data[0].cmin == second.data[0].cmin and first.data[0].cmax == second.data[0].cmax
    assert [list(row) for row in second.data[0].z] == [
        [pytest.approx(-0.39794), None], [None, pytest.approx(1.60206)],
    ]  # fmt: skip
    assert first.layout.title.text == "plain20: loss 4 at the net, 4 at the rim"
    assert second.layout.title.text == "resnet20_v1: loss 0.4 at the net, 40 at the rim"
    above = landscape_figures(stored(rows), from_above=True)
    assert above[0].data[0].type == "contour" and above[0].layout.title == first.layout.title


def test_an_astronomic_loss_is_cut_off_and_said() -> None:
    rows = [point("plain20", 0, 0, 1.0), point("plain20", 1, 1, 1e12)]
    figure = landscape_figures(stored(rows, MODELS[:1]))[0]
    assert figure.layout.title.text.endswith("(cut off at the top)")
    assert figure.data[0].z[1][1] == 4


def test_who_responds_more_is_computed() -> None:
    def row(model: dict, std: float) -> dict:
        about = {"model": model["name"], "family": model["family"], "depth": model["depth"]}
        return about | {"layers": ["a", "b"], "stds": [std, std]}

    for plain, residual, word in ((1.0, 0.5, "less"), (0.5, 1.0, "more")):
        figure = response_figure(stored([row(MODELS[0], plain), row(MODELS[1], residual)]))
        assert f"respond {word} strongly than those of plain20" in figure.layout.title.text


def test_an_ensemble_is_held_against_the_best_alone() -> None:
    rows = [subset(10.0, "a"), subset(8.0, "b"), subset(30.0, "c"), subset(7.0, "a", "b")]
    rows += [subset(12.0, "a", "c"), subset(11.0, "b", "c"), subset(9.0, "a", "b", "c")]
    figure = ensemble_figure(stored(rows))
    assert figure.layout.title.text == (
        "3 nets together (9.00 %) do not beat the best of them alone (b, 8.00 %); "
        "a + b does (7.00 %)"
    )
    mean = next(trace for trace in figure.data if trace.name == "mean")
    assert list(mean.x) == [1, 2, 3] and list(mean.y) == [16.0, 10.0, 9.0]
    rows[-1] = subset(6.0, "a", "b", "c")
    assert "(6.00 %) beat the best" in ensemble_figure(stored(rows)).layout.title.text


def test_training_gradients_are_those_the_runs_recorded(tmp_path) -> None:
    runs = [write_run(tmp_path / "plain", "plain", 20), write_run(tmp_path / "v1")]
    figure = training_gradient_figure(runs)
    for run, line in zip(runs, figure.data, strict=True):
        last = read_history(run).last.gradient_norms
        assert line.y[-1] == pytest.approx(last["stage1"] / last["stage3"], rel=1e-4)
    assert "in Plain 20" in figure.layout.title.text
    silent = write_run(tmp_path / "silent", gradients=False)
    assert not training_gradient_figure([silent]).data


def test_every_line_and_bar_has_its_dark_twin() -> None:
    figures = [
        *gradient_flow_figures(stored([flow("plain20", [1.0, 2.0, 3.0])])).values(),
        *surgery_figures(
            stored([operated("plain20", 1.0), operated("plain20", 9.0, [1])], MODELS[:1])
        ),
        ensemble_figure(stored([subset(1.0, "a"), subset(2.0, "b"), subset(0.5, "a", "b")])),
    ]
    for figure in figures:
        colours = set(re.findall(r"#[0-9a-f]{6}", "".join(str(trace) for trace in figure.data)))
        assert colours <= figure.layout.meta["dark"].keys()
