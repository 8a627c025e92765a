"""What is measured beside a training run is measured while that run trains, from first to last."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from benchmarks import app_speed
from benchmarks.app_speed import training_run
from resnet_core.errors import LabError
from resnet_core.runs.folder import RunState
from resnet_core.training.recipes import MOST_EPOCHS


class PlantedRun:
    """A run that trains until it is asked to stop, or has ended by then."""

    name = "planted"

    def __init__(self, path: Path):
        self.was_stopped = False
        self.at_the_end = RunState.RUNNING

    def events(self) -> list[dict[str, Any]]:
        return [{"event": "step"}]

    def state(self) -> RunState:
        return self.at_the_end

    def request_stop(self) -> None:
        self.was_stopped = True

    def process_id(self) -> int | None:
        return None if self.was_stopped else 1


@pytest.fixture
def planted(monkeypatch, tmp_path: Path) -> PlantedRun:
    run, told = PlantedRun(tmp_path), json.dumps({"run": "planted"})
    monkeypatch.setattr(app_speed, "RunFolder", lambda path: run)

    def start(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        epochs = command[command.index("--epochs") + 1]
        assert float(epochs) == MOST_EPOCHS  # the recipe's own are over within seconds on a GPU
        return subprocess.CompletedProcess(command, 0, told, "")

    monkeypatch.setattr(subprocess, "run", start)
    return run


def test_a_run_that_trains_to_the_end_is_stopped_there(planted: PlantedRun, tmp_path: Path) -> None:
    with training_run(tmp_path):
        assert not planted.was_stopped
    assert planted.was_stopped


@pytest.mark.parametrize("state", [RunState.FINISHED, RunState.FAILED, RunState.INTERRUPTED])
def test_a_run_that_ended_before_makes_no_result(
    planted: PlantedRun, tmp_path: Path, state: RunState
) -> None:
    with pytest.raises(LabError, match=f"{state.value} before the end"), training_run(tmp_path):
        planted.at_the_end = state


def test_a_run_is_stopped_when_the_measurement_fails(planted: PlantedRun, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), training_run(tmp_path):
        raise ZeroDivisionError
    assert planted.was_stopped
