"""A run's history, against the plain reading of its events and against a reading from scratch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures.windows import train_windows
from resnet_core.errors import RunError
from resnet_core.files import write_json
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.history import History, Point, read_history, thin
from tests.written_runs import BATCH_SIZE, STEPS_PER_EPOCH, append, run_events, started, write_run

TRAIN_IMAGES = STEPS_PER_EPOCH * BATCH_SIZE + 7  # of a run written there
ROOT = Path(__file__).resolve().parents[2]


def assert_tells(history: History, folder: RunFolder) -> None:
    """Every point is an event that counts, and every such event is a point."""
    for kind, points in (("step", history.steps), ("epoch", history.epochs)):
        events = [event for event in folder.events() if event["event"] == kind]
        assert [p.step for p in points] == [event["step"] for event in events]
        for point, event in zip(points, events, strict=True):
            for name in ("train_error_percent", "train_loss", "lr", "images_per_second"):
                assert getattr(point, name) == event[name]
            for name in ("validation_error_percent", "validation_loss"):
                assert getattr(point, name) == event.get(name)
            assert dict(point.gradient_norms) == event.get("gradient_norms", {})
            assert point.epoch == event["step"] / STEPS_PER_EPOCH
            assert point.images == event["step"] * BATCH_SIZE


def read_anew(folder: RunFolder, tmp_path: Path) -> History:
    copy = tmp_path / f"copy{len(list(tmp_path.glob('copy*')))}"
    shutil.copytree(folder.path, copy)
    return read_history(RunFolder(copy))


def test_all_points_and_totals(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    history = read_history(folder)
    assert_tells(history, folder)
    errors = [e["validation_error_percent"] for e in folder.events() if e["event"] == "epoch"]
    assert history.best_validation_error_percent == min(errors)
    assert history.test_error_percent == folder.summary()["test_error_percent"]
    assert (history.total_steps, history.steps_per_epoch, history.batch_size) == (120, 40, 128)
    assert history.last and history.last.step == 120 and history.eta_seconds is None


def test_seconds_of_steps_follow_from_rate(tmp_path: Path) -> None:
    history = read_history(write_run(tmp_path / "run", rate=640.0))
    for point in (*history.steps, *history.epochs):
        assert point.train_seconds == pytest.approx(point.step * BATCH_SIZE / 640.0)


@pytest.mark.parametrize("devices", [1, 4])
def test_a_step_of_several_devices_has_the_images_of_all(tmp_path: Path, devices: int) -> None:
    """At 640 images/s over all of them, steps of four devices take four times as long as one's."""
    folder = write_run(tmp_path / "run", rate=640.0 / devices)
    write_json(folder.config_file, folder.config() | {"devices": devices})
    events = folder.events()
    folder.events_file.write_text("")
    append(folder, [e | {"images_per_second": 640.0} for e in events])
    history = read_history(folder)
    assert history.batch_size == devices * BATCH_SIZE
    for point in history.steps:
        assert point.images == min(point.step * history.batch_size, point.step * TRAIN_IMAGES)
        assert point.train_seconds == pytest.approx(point.step * devices * BATCH_SIZE / 640.0)
    for window in train_windows(history):
        assert window.images_per_second == pytest.approx(640.0)


@pytest.mark.parametrize("devices", ["two", None, [2]])
def test_devices_that_are_no_number_are_said(tmp_path: Path, devices: object) -> None:
    folder = write_run(tmp_path / "run")
    write_json(folder.config_file, folder.config() | {"devices": devices})
    with pytest.raises(RunError, match="is damaged"):
        read_history(folder)


def test_a_growing_file_reads_as_from_scratch(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "whole").events_file.read_bytes()
    folder = write_run(tmp_path / "run", steps=0)
    folder.events_file.write_bytes(b"")
    read_history(folder)
    for at in range(0, len(whole), 1777):  # borders fall anywhere in a line
        with open(folder.events_file, "ab") as file:
            file.write(whole[at : at + 1777])
        assert read_history(folder) == read_anew(folder, tmp_path)
    assert_tells(read_history(folder), folder)


def test_only_what_was_appended_is_parsed(tmp_path: Path, monkeypatch) -> None:
    folder = write_run(tmp_path / "run", steps=60)
    before = read_history(folder)
    parsed = []
    loads = json.loads
    monkeypatch.setattr(
        "resnet_core.runs.history.json.loads", lambda text: parsed.append(text) or loads(text)
    )
    assert read_history(folder) is before and not parsed
    append(folder, [{"event": "stopped", "step": 60}])
    read_history(folder)
    assert len(parsed) == 1


def test_a_torn_line_waits_and_then_is_left_out(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=60)
    before = read_history(folder)
    with open(folder.events_file, "a") as file:
        file.write('{"event": "step", "st')
    assert read_history(folder) == before
    with open(folder.events_file, "a") as file:
        file.write("\n")
    append(folder, [started(60, 120)])
    assert read_history(folder).steps == before.steps


def test_a_resumed_run_replaces_what_it_does_again(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=100)
    assert read_history(folder).last.step == 100  # the reading stands past the resume's step
    again = [e for e in run_events(5, 3, 120, 500.0, True, True) if e["step"] > 50]
    append(folder, [started(50, 120), *again])
    history = read_history(folder)
    assert_tells(history, folder)
    assert history == read_anew(folder, tmp_path)
    # 50 steps at 1,000 images/s, then two at 500.
    at_52 = next(p for p in history.steps if p.step == 52)
    assert at_52.train_seconds == pytest.approx(50 * BATCH_SIZE / 1000 + 2 * BATCH_SIZE / 500)


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("steps", [20, 60, 120])
def test_another_file_in_its_place_is_read_anew(tmp_path: Path, in_place: bool, steps: int) -> None:
    folder = write_run(tmp_path / "run", steps=60)
    read_history(folder)
    other = write_run(tmp_path / "other", seed=3, steps=steps)
    if in_place:
        folder.events_file.write_bytes(other.events_file.read_bytes())
    else:
        os.replace(other.events_file, folder.events_file)
    assert_tells(read_history(folder), folder)


def test_old_runs_without_gradients_or_validation(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", gradients=False, validation=False)
    history = read_history(folder)
    assert_tells(history, folder)
    assert history.best_validation_error_percent is None


def test_before_the_first_event_and_without_a_run(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=0)
    folder.events_file.unlink()
    history = read_history(folder)
    assert history.last is None and history.steps == () and history.total_steps == 0
    with pytest.raises(RunError, match="not a run folder"):
        read_history(RunFolder(tmp_path / "nothing"))


@pytest.mark.parametrize("count", [0, 1, 599, 600, 601, 5000])
def test_thinning_keeps_the_ends_and_never_flickers(count: int) -> None:
    points = [Point(s, s / 9, s, 0.0, 1.0, 1.0, 0.1, 1.0) for s in range(count)]
    kept = thin(points)
    assert len(kept) <= 601
    assert kept[:1] == tuple(points[:1]) and kept[-1:] == tuple(points[-1:])
    longer = thin([*points, Point(count, 0.0, 0, 0.0, 1.0, 1.0, 0.1, 1.0)])
    # Of the points before the last, a longer curve keeps all or every second.
    assert {p.step for p in longer[:-1]} <= {p.step for p in kept}


def test_reading_a_history_imports_no_torch() -> None:
    program = "import sys, resnet_core.runs.history; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
