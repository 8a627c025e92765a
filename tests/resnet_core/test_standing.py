"""A list of many runs: each run's events are read once, and again only where they changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from resnet_core.runs import history, standing
from resnet_core.runs.claims import claim
from resnet_core.runs.folder import RunFolder, list_runs
from resnet_core.runs.history import read_history
from resnet_core.runs.summary import describe_run, describe_runs
from tests.written_runs import append, run_events, started, write_run

MANY = 300


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_readings", {})
    monkeypatch.setattr(standing, "_standings", {})


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the runs whose events file was looked into since it was last cleared."""
    names: list[str] = []
    catch_up = history._Reading.catch_up

    def counted(reading: Any, path: Path) -> None:
        names.append(path.parent.name)
        catch_up(reading, path)

    monkeypatch.setattr(history._Reading, "catch_up", counted)
    return names


def write_runs(runs: Path, count: int) -> list[RunFolder]:
    """Finished ones, every third cut short, and one that has not begun."""
    write_run(runs / "finished", epochs=1)
    write_run(runs / "short", epochs=1, steps=20)
    for number in range(2, count):
        shutil.copytree(runs / ("finished" if number % 3 else "short"), runs / f"run{number:03}")
    RunFolder(runs / "run002").events_file.unlink()
    return list_runs(runs)


def test_a_second_look_at_many_runs_reads_none_of_them(tmp_path: Path, read: list[str]) -> None:
    folders = write_runs(tmp_path, MANY)
    first = describe_runs(tmp_path)
    assert sorted(read) == sorted(folder.name for folder in folders) and len(read) == MANY
    read.clear()
    assert describe_runs(tmp_path) == first and read == []
    append(RunFolder(tmp_path / "run003"), [{"event": "stopped", "step": 20}])
    describe_runs(tmp_path)
    assert read == ["run003"]
    assert not history._readings  # none is displayed, and none grows


def test_more_runs_than_are_remembered_cost_the_surplus(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "MOST_REMEMBERED", 10)
    write_runs(tmp_path, 13)
    first = describe_runs(tmp_path)
    for _ in range(3):
        read.clear()
        assert describe_runs(tmp_path) == first
        assert len(read) == 4  # the three that have no place, and the one that gave them its own
        assert len(standing._standings) == 10


def test_of_a_run_that_trains_only_what_was_appended_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_run(tmp_path / "run", steps=60)
    claim(folder, {})
    assert describe_run(folder)["state"] == "running"
    parsed: list[dict[str, Any]] = []
    monkeypatch.setattr(history._Reading, "_add", lambda self, event: parsed.append(event))
    event = next(e for e in run_events(0, 3, 120, 1000.0, True, True) if e["step"] == 64)
    append(folder, [event])
    describe_run(folder)
    assert parsed == [event]


def test_a_stop_that_was_asked_for_is_told_while_the_run_goes_on(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=60)
    claim(folder, {})
    assert not describe_run(folder)["is_stopping"]
    folder.request_stop()
    assert describe_run(folder)["is_stopping"] and describe_run(folder)["state"] == "running"


def test_the_figures_of_a_run_that_trains_follow_it(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=60)
    claim(folder, {})
    for event in run_events(0, 3, 120, 1000.0, True, True):
        if event["event"] == "step" and event["step"] > 60:
            append(folder, [event])
            row = describe_run(folder)
            assert (row["step"], row["eta_seconds"]) == (event["step"], event["eta_seconds"])


def test_a_displayed_run_stays_read(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    shown = read_history(folder)
    describe_runs(tmp_path)
    assert read_history(folder) is shown


@pytest.mark.parametrize("in_place", [True, False])
def test_another_file_in_its_place_is_seen(tmp_path: Path, in_place: bool) -> None:
    folder, other = write_run(tmp_path / "run"), write_run(tmp_path / "other", seed=3)
    before, expected = describe_run(folder), describe_run(other)
    if in_place:
        folder.events_file.write_bytes(other.events_file.read_bytes())
    else:
        os.replace(other.events_file, folder.events_file)
    now = describe_run(folder)
    for name in ("train_error_percent", "validation_error_percent", "train_seconds"):
        assert now[name] == expected[name]
    assert now["train_error_percent"] != before["train_error_percent"]


def test_a_run_that_is_resumed_and_one_that_is_made_anew_are_read_again(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", steps=100)
    assert describe_run(folder)["step"] == 100
    again = [e for e in run_events(5, 3, 60, 500.0, True, True) if e["step"] > 50]
    append(folder, [started(50, 120), *again])
    assert describe_run(folder)["step"] == 60
    folder.events_file.unlink()
    row = describe_run(folder)
    assert (row["step"], row["total_steps"], row["train_error_percent"]) == (0, 0, None)
