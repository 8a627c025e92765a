"""Comparing runs: means and bands against numpy, tables, files to keep."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.figures.compare import compare_figure
from benchmarks.figures.downloads import CSV_COLUMNS, comparison_csv, comparison_html
from benchmarks.figures.final_table import final_table
from benchmarks.figures.style import FAMILY_COLOURS, TRAIN_DASH, family_colour
from resnet_core.errors import ConfigError
from resnet_core.runs.folder import RunFolder
from tests.written_runs import BATCH_SIZE, STEPS_PER_EPOCH, write_run

HOSTILE = "<script>alert(1)</script> & %{x}"


@pytest.fixture
def seeds(tmp_path: Path) -> list[RunFolder]:
    return [write_run(tmp_path / f"seed{seed}", seed=seed) for seed in range(3)]


def epoch_values(folder: RunFolder, name: str) -> list[float]:
    return [event[name] for event in folder.events() if event["event"] == "epoch"]


def lines(figure) -> list:
    return [trace for trace in figure.data if trace.fill is None]


def bands(figure) -> list:
    return [trace for trace in figure.data if trace.fill == "toself"]


def test_runs_are_overlaid_with_their_own_values(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", "plain", 20),
        write_run(tmp_path / "b", "resnet_v1", 56, rate=500.0),
    ]
    figure = compare_figure(runs, y="loss")
    drawn = {line.name: line for line in figure.data}
    assert len(drawn) == 4
    for label, run in (("Plain 20", runs[0]), ("ResNet v1 56", runs[1])):
        for split in ("train", "validation"):
            line = drawn[f"{label}, {split}"]
            assert line.y == pytest.approx(epoch_values(run, f"{split}_loss"), rel=1e-5)
            assert line.line.dash == (TRAIN_DASH if split == "train" else "solid")
    assert drawn["Plain 20, train"].line.color == FAMILY_COLOURS["plain"]
    assert drawn["ResNet v1 56, train"].line.color == family_colour("resnet_v1", 56).light
    assert [label.text.rpartition("> ")[2] for label in figure.layout.annotations] == [
        "Plain 20",
        "ResNet v1 56",
    ]


def test_a_net_for_photos_is_compared_under_its_own_name(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", "photo_resnet", 50),
        write_run(tmp_path / "b", "resnet_v1", 50),
    ]
    assert {line.name for line in compare_figure(runs, show="train").data} == {
        "ResNet 50, train", "ResNet v1 50, train",
    }  # fmt: skip
    assert [row["model"] for row in final_table(runs)] == ["resnet50", "resnet50_v1"]


@pytest.mark.parametrize(
    ("x", "wanted"),
    [
        ("epoch", [1, 2, 3]),
        ("images", np.arange(1, 4) * STEPS_PER_EPOCH * BATCH_SIZE),
        ("seconds", np.arange(1, 4) * STEPS_PER_EPOCH * BATCH_SIZE / 1000),
    ],
)
def test_x_axes(tmp_path: Path, x: str, wanted: list[float]) -> None:
    figure = compare_figure([write_run(tmp_path / "run")], x=x, show="validation")
    assert figure.data[0].x == pytest.approx(wanted)


def test_long_times_are_in_minutes(tmp_path: Path) -> None:
    figure = compare_figure([write_run(tmp_path / "run", rate=10.0)], x="seconds", show="train")
    assert figure.data[0].x[-1] == pytest.approx(3 * STEPS_PER_EPOCH * BATCH_SIZE / 10 / 60)
    assert "minutes" in figure.layout.xaxis.title.text


def test_seeds_become_their_mean_and_a_band(seeds: list[RunFolder]) -> None:
    figure = compare_figure(seeds, show="validation", group_by="seeds")
    values = np.array([epoch_values(run, "validation_error_percent") for run in seeds])
    (line,), (band,) = lines(figure), bands(figure)
    assert line.y == pytest.approx(values.mean(0), rel=1e-5)
    assert band.y == pytest.approx(np.concatenate([values.max(0), values.min(0)[::-1]]))
    assert "mean of 3 seeds" in line.hovertemplate and "lowest" in line.hovertemplate
    assert (
        "lowest to highest" in band.name
        and f"{values.mean(0)[-1]:.1f} %" in figure.layout.title.text
    )


def test_a_mean_goes_only_as_far_as_all_have_come(tmp_path: Path) -> None:
    fast, slow = write_run(tmp_path / "fast"), write_run(tmp_path / "slow", seed=1, rate=400.0)
    figure = compare_figure([fast, slow], x="seconds", show="validation", group_by="seeds")
    epoch_seconds = STEPS_PER_EPOCH * BATCH_SIZE / 1000
    x = np.array([1, 2, 3]) * epoch_seconds
    (line,) = lines(figure)
    # Epochs of the one at 1, 2, 3 and of the other at 2.5, 5, 7.5: both between 2.5 and 3.
    assert line.x == pytest.approx([2.5 * epoch_seconds, 3 * epoch_seconds])
    values = [
        np.interp(line.x, scale * x, epoch_values(run, "validation_error_percent"))
        for scale, run in ((1, fast), (2.5, slow))
    ]
    assert line.y == pytest.approx(np.mean(values, 0), rel=1e-5)


def test_only_seeds_of_one_experiment_are_put_together(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "a", depth=20, seed=0),
        write_run(tmp_path / "b", depth=20, seed=1),
        write_run(tmp_path / "c", depth=56, seed=0),
        write_run(tmp_path / "d", depth=20, seed=0, epochs=2),
    ]
    figure = compare_figure(runs, show="validation", group_by="seeds")
    assert len(lines(figure)) == 3 and len(bands(figure)) == 1
    assert len({line.name for line in lines(figure)}) == 3


def test_nets_of_one_colour_are_told_apart_by_marks(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "20261128-122957-resnet20_v1-cifar10"),
        write_run(tmp_path / "20261128-123639-resnet20_v1-cifar10"),
        write_run(tmp_path / "20261128-124000-plain20-cifar10", "plain"),
    ]
    figure = compare_figure(runs, show="validation")
    first, second, other = figure.data
    assert (first.mode, other.mode, second.mode) == ("lines", "lines", "lines+markers")
    assert second.marker.symbol == "circle" and second.line.color == first.line.color
    labels = [label.text for label in figure.layout.annotations]
    assert "●" in labels[1] and "●" not in labels[0] + labels[2]
    assert labels[1].endswith(" ResNet v1 20, 20261128-123639")  # the rest tells nothing apart


def test_a_run_in_its_first_epoch_shows_what_it_has(tmp_path: Path) -> None:
    young = write_run(tmp_path / "young", steps=20)
    (line,) = compare_figure([young]).data
    assert line.name.endswith("train") and len(line.y) == 5
    assert not compare_figure([young], show="validation").data


def test_many_runs_get_a_legend(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / f"run{seed}", seed=seed) for seed in range(9)]
    figure = compare_figure(runs)
    assert figure.layout.showlegend and not figure.layout.annotations
    named = [trace.name for trace in figure.data if trace.showlegend]
    assert named == [f"ResNet v1 20, seed {seed}" for seed in range(9)]


def test_an_unknown_axis_is_refused_with_all_problems(seeds: list[RunFolder]) -> None:
    with pytest.raises(ConfigError) as caught:
        compare_figure(seeds, x="weeks", group_by="colour")
    assert len(caught.value.problems) == 2 and "epoch, images, seconds" in str(caught.value)


def test_final_table(seeds: list[RunFolder], tmp_path: Path) -> None:
    half = write_run(tmp_path / "half", seed=7, steps=70)
    rows = final_table([*seeds, half])
    assert [row["run"] for row in rows] == ["seed0", "seed1", "seed2", "half", "mean of 3 seeds"]
    for row, run in zip(rows, seeds, strict=False):
        assert row["test_error_percent"] == run.summary()["test_error_percent"]
        assert row["validation_error_percent"] == epoch_values(run, "validation_error_percent")[-1]
        assert row["params"] == 270_000 and row["state"] == "finished"
    assert rows[3]["state"] == "interrupted" and rows[3]["test_error_percent"] is None
    test_errors = [run.summary()["test_error_percent"] for run in seeds]
    assert rows[4]["test_error_percent"] == pytest.approx(np.mean(test_errors))
    assert rows[4]["test_error_percent_sd"] == pytest.approx(np.std(test_errors, ddof=1))


def test_csv_holds_every_point(seeds: list[RunFolder], tmp_path: Path) -> None:
    formula = write_run(tmp_path / "=1+1", steps=20)
    rows = list(csv.DictReader(io.StringIO(comparison_csv([*seeds, formula]))))
    assert tuple(rows[0]) == CSV_COLUMNS
    for run in seeds:
        mine = [row for row in rows if row["run"] == run.name]
        steps = {e["step"] for e in run.events() if e["event"] in ("step", "epoch")}
        assert {int(row["step"]) for row in mine} == steps
        ends = [row for row in mine if row["kind"] == "epoch"]
        for name in ("train_error_percent", "validation_loss", "lr"):
            assert [float(row[name]) for row in ends] == epoch_values(run, name)
    assert {row["run"] for row in rows} == {"seed0", "seed1", "seed2", "'=1+1"}


def test_names_are_escaped_in_the_page_and_its_figures(tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "∕")
    runs = [write_run(tmp_path / name), write_run(tmp_path / "other", seed=0)]
    figure = compare_figure(runs)
    said = [figure.layout.title.text, *(label.text for label in figure.layout.annotations)]
    said += [trace.name for trace in figure.data]
    assert not any("<script" in text for text in said) and "&lt;script" in said[-1] + said[-2]
    page = comparison_html(runs)
    body = page[page.index("<body>") :]
    assert "<script>alert" not in body and "&lt;script&gt;alert" in body


def test_the_command_line(seeds: list[RunFolder], tmp_path: Path, run_module) -> None:
    words = ["compare", "seed0", seeds[1].path, "--runs", tmp_path]
    done = run_module(
        "benchmarks", *words, "--csv", tmp_path / "a.csv", "--html", tmp_path / "a.html"
    )
    assert done.returncode == 0, done.stderr
    lines_printed = done.stdout.splitlines()
    assert lines_printed[0].split()[:2] == ["run", "model"] and len(lines_printed) == 4
    assert f"{seeds[0].summary()['test_error_percent']:.2f} %" in lines_printed[1]
    assert (tmp_path / "a.csv").read_text().startswith("run,model")
    assert (tmp_path / "a.html").read_text().startswith("<!DOCTYPE html>")
    rows = json.loads(run_module("benchmarks", *words, "--json").stdout)
    assert rows == json.loads(json.dumps(final_table(seeds[:2])))
    wrong = run_module("benchmarks", "compare", "nothing", "--runs", tmp_path)
    assert wrong.returncode == 2 and "There is no run at nothing" in wrong.stderr
