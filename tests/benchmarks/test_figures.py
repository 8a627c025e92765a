"""Figures against the events they draw: values, colours, dashes, words."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from benchmarks.figures.canvas import NOTHING_YET, spread
from benchmarks.figures.run_curves import run_figures
from benchmarks.figures.style import (
    FAMILY_COLOURS,
    TEMPLATES,
    TRAIN_DASH,
    duration,
    family_colour,
    percent,
    plotly_js_file,
)
from benchmarks.figures.windows import train_windows
from resnet_core.models.config import FAMILIES
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.history import History, read_history
from tests.written_runs import PARTS, STEPS_PER_EPOCH, append, started, write_run

CONFIG = {"model": {"family": "resnet_v1", "depth": 20}}
NAMES = {"error", "loss", "learning_rate", "speed", "gradients"}


def figures_of(folder: RunFolder):
    return run_figures(read_history(folder), folder.config())


def epochs_of(folder: RunFolder) -> list[dict]:
    return [event for event in folder.events() if event["event"] == "epoch"]


def trace(figure, name: str):
    return next(trace for trace in figure.data if trace.name == name)


def luminance(colour: str) -> float:
    """WCAG 2.2's relative luminance."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_validation_is_what_the_events_say_and_solid(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    line = trace(figures_of(folder)["error"], "validation")
    assert line.y == pytest.approx(
        [e["validation_error_percent"] for e in epochs_of(folder)], rel=1e-5
    )
    assert line.x == (1, 2, 3) and line.line.dash == "solid"
    loss = trace(figures_of(folder)["loss"], "validation")
    assert loss.y == pytest.approx([e["validation_loss"] for e in epochs_of(folder)], rel=1e-5)


def test_training_windows_average_to_the_epochs_figures(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    windows = train_windows(read_history(folder))
    assert sum(w.steps for w in windows) == 3 * STEPS_PER_EPOCH and len(windows) == 30
    for number, event in enumerate(epochs_of(folder)):
        members = [w for w in windows if number < w.end.epoch <= number + 1]
        weights = [w.steps for w in members]
        for name in ("train_error_percent", "train_loss"):
            values = [getattr(w, name) for w in members]
            assert np.average(values, weights=weights) == pytest.approx(event[name])


def test_training_windows_are_the_means_of_their_own_steps(tmp_path: Path) -> None:
    """The step's own errors, which no event tells, from the generator that wrote the events."""
    folder = write_run(tmp_path / "run", seed=4)
    total = 3 * STEPS_PER_EPOCH
    noise = np.random.default_rng(4).normal(0, 2, total)
    errors = 10 + 80 * np.exp(-np.arange(total) / 30) + noise
    line = trace(figures_of(folder)["error"], "train")
    assert line.y == pytest.approx(errors.reshape(-1, 4).mean(1), rel=1e-4)
    assert line.line.dash == TRAIN_DASH != "solid"


def test_speed_is_of_the_stretch_and_not_since_the_epoch_began(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=40, rate=1000.0)
    at_80 = {**epochs_of(folder)[0], "step": 80, "train_seconds": 40 * 0.128 + 40 * 0.256}
    append(folder, [at_80])
    line = figures_of(folder)["speed"].data[0]
    assert line.y[0] == pytest.approx(1000) and line.y[-1] == pytest.approx(500)


def test_titles_say_the_finding(tmp_path: Path) -> None:
    live = write_run(tmp_path / "live", steps=100)
    error = epochs_of(live)[-1]["validation_error_percent"]
    title = figures_of(live)["error"].layout.title.text
    assert title == f"Error: {percent(error)} on validation after 2 epochs"
    finished = write_run(tmp_path / "finished")
    test_error = finished.summary()["test_error_percent"]
    title = figures_of(finished)["error"].layout.title.text
    assert title == f"Error: {percent(test_error)} on the test split after 3 epochs"
    no_split = write_run(tmp_path / "no_split", steps=20, validation=False)
    assert "on training images after 0.5 epochs" in figures_of(no_split)["error"].layout.title.text


def test_gradients_one_line_a_part_on_a_log_axis(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    figure = figures_of(folder)["gradients"]
    assert [line.name for line in figure.data] == list(PARTS) and figure.layout.yaxis.type == "log"
    last = folder.events()[-2]["gradient_norms"]
    for line, label in zip(figure.data, figure.layout.annotations, strict=True):
        assert line.y[-1] == pytest.approx(last[line.name], rel=1e-5)
        assert label.text.endswith(line.name)
        # A log axis places annotations by their exponent; these lie far enough apart to stay.
        assert label.y == pytest.approx(math.log10(last[line.name]), abs=1e-4)
    ratio = last["classifier"] / last["stem"]
    assert f"{ratio:,.1f} times larger in classifier than stem" in figure.layout.title.text


@pytest.mark.parametrize("norm", [0.0, -1.0, float("inf")])
def test_a_norm_without_logarithm_is_a_gap(tmp_path: Path, norm: float) -> None:
    folder = write_run(tmp_path / "run", steps=40)
    event = {**folder.events()[-1], "event": "step", "step": 44, "gradient_norms": {"stem": norm}}
    append(folder, [event])
    assert trace(figures_of(folder)["gradients"], "stem").y[-1] is None


def test_nothing_yet_is_said_quietly(tmp_path: Path) -> None:
    assert run_figures(History(), CONFIG).keys() == NAMES
    folder = write_run(tmp_path / "run", steps=0)
    append(folder, [started(0, 120)])
    for figure in figures_of(folder).values():
        assert not figure.data
        assert figure.layout.annotations[0].text.replace("<br>", " ") == NOTHING_YET
    old = write_run(tmp_path / "old", gradients=False)
    assert "no gradient norms" in figures_of(old)["gradients"].layout.annotations[0].text


def test_every_figure_keeps_a_zoom_and_carries_its_dark_colours(tmp_path: Path) -> None:
    for figure in figures_of(write_run(tmp_path / "run")).values():
        layout = json.loads(figure.to_json())["layout"]
        assert layout["uirevision"] == "keep" and layout["title"]["text"]
        for line in figure.data:
            assert line.line.color in layout["meta"]["dark"]
            assert line.hovertemplate.endswith("<extra></extra>") and line.customdata


def test_a_family_is_its_colour_and_a_deeper_net_stands_out_more() -> None:
    assert set(FAMILY_COLOURS) == set(FAMILIES)
    for key in FAMILIES:
        shades = [family_colour(key, depth) for depth in (20, 56, 110, 1202)]
        assert shades[0].light == shades[0].dark == FAMILY_COLOURS[key]
        on_white = [contrast(shade.light, "#ffffff") for shade in shades]
        on_black = [contrast(shade.dark, "#0b0f19") for shade in shades]
        assert on_white == sorted(on_white) and on_black == sorted(on_black)
        assert min(on_black) >= 3 and min(on_white) >= 2.9  # graphics want 3; UI's pink is 2.98


def test_text_is_readable_in_both_templates() -> None:
    for theme, page in (("light", "#ffffff"), ("dark", "#0b0f19")):
        layout = TEMPLATES[theme]["layout"]
        for colour in (layout["font"]["color"], layout["xaxis"]["tickfont"]["color"]):
            assert contrast(colour, page) >= 4.5


def test_labels_stay_apart_in_order_and_move_no_more_than_needed() -> None:
    moved = spread([0.5, 0.51, 0.9, 0.49], 0.1)
    assert moved[2] == 0.9
    ordered = sorted(moved)
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(ordered))
    assert [moved[at] for at in (3, 0, 1)] == pytest.approx([0.4, 0.5, 0.6])


@pytest.mark.parametrize("ends", [[0.9] * 7, [0.02] * 7, [0.0, 0.5, 0.95, 0.96, 0.97, 1.0]])
def test_labels_stay_beside_the_plot(ends: list[float]) -> None:
    moved = sorted(spread(ends, 0.1))
    assert moved[0] >= -1e-9 and moved[-1] <= 1 + 1e-9
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(moved))


def test_more_labels_than_there_is_room_for_reach_out_at_both_ends() -> None:
    moved = sorted(spread([0.9] * 15, 0.1))
    assert moved[0] == pytest.approx(-0.2) and moved[-1] == pytest.approx(1.2)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0.4 s"), (19, "19 s"), (59.6, "1:00 min"), (445, "7:25 min"), (3599.7, "1:00:00 h")],
)
def test_a_time_that_stands_alone_has_its_unit(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_plotly_js_is_the_installed_packages() -> None:
    with open(plotly_js_file(), encoding="utf-8") as file:
        assert "plotly.js" in file.read(200)
