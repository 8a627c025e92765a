"""An extension that is withdrawn before it began leaves the run as it was, whatever is killed when."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from resnet_core.errors import RunError
from resnet_core.events import Started
from resnet_core.files import write_json
from resnet_core.models.config import parse_model_name
from resnet_core.runs import queue
from resnet_core.runs.claims import claim, release
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.queue import enqueue, withdraw
from resnet_core.training import run as training_run
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import create_run, extend, read_config
from resnet_core.training.recipes import RECIPES
from resnet_core.training.run import execute
from tests.resnet_core.live_runs import SMALL_DATA, run
from tests.small_data import NAME
from tests.written_runs import STEPS_PER_EPOCH, append, started
from ui import run_jobs

EPOCHS = 2
SUMMARY = {"epochs": EPOCHS, "test_error_percent": 8.25}


def make(path: Path) -> RunFolder:
    config = TrainConfig(
        model=parse_model_name("resnet8_v1"), data=NAME, compile="off", device="cpu",
        recipe=RECIPES["taste"].changed(epochs=EPOCHS), data_folder=str(SMALL_DATA),
    )  # fmt: skip
    return create_run(config, path.parent, path)


def begin(folder: RunFolder, epochs: float, step: int = 0) -> None:
    append(folder, [started(step, round(epochs * STEPS_PER_EPOCH))])


@pytest.fixture
def finished(tmp_path: Path) -> RunFolder:
    """A run that was trained to its end, and exported."""
    folder = make(tmp_path / "runs" / "finished")
    begin(folder, EPOCHS)
    write_json(folder.summary_file, SUMMARY)
    folder.onnx_file.write_bytes(b"of these weights")
    return folder


def lengthen(folder: RunFolder) -> None:
    enqueue(folder, lambda: extend(folder, 3))


def length(folder: RunFolder) -> float:
    return read_config(folder).recipe.epochs


def assert_untouched(folder: RunFolder, config: dict[str, Any]) -> None:
    assert folder.state() is RunState.FINISHED
    assert folder.config() == config and folder.summary() == SUMMARY
    assert folder.onnx_file.exists()
    left = {path.name for path in folder.path.iterdir() if not path.name.startswith(".")}
    assert left <= {"config.json", "events.jsonl", "summary.json", "model.onnx"}


def test_a_finished_run_whose_extension_is_withdrawn_is_finished_again(finished: RunFolder) -> None:
    config = finished.config()
    lengthen(finished)
    assert (finished.state(), length(finished)) == (RunState.QUEUED, EPOCHS + 3)
    withdraw(finished)
    assert_untouched(finished, config)
    extend(finished, 1)  # without the queue, as a kill leaves it
    lengthen(finished)
    withdraw(finished)
    assert_untouched(finished, config)


def test_what_was_trained_of_an_extension_is_not_taken_back(finished: RunFolder) -> None:
    lengthen(finished)
    begin(finished, EPOCHS + 3, step=EPOCHS * STEPS_PER_EPOCH)
    withdraw(finished)
    assert (finished.state(), length(finished)) == (RunState.STOPPED, EPOCHS + 3)
    lengthen(finished)
    withdraw(finished)  # the second extension alone
    assert (finished.state(), length(finished)) == (RunState.STOPPED, EPOCHS + 3)
    assert len(finished.config()["extensions"]) == 1
    assert finished.config()["command"].count("runs extend") == 1
    assert json.loads(finished.summary_file_at(EPOCHS).read_text()) == SUMMARY


def test_an_unfinished_run_whose_extension_is_withdrawn_has_its_old_length(tmp_path: Path) -> None:
    folder = make(tmp_path / "stopped")
    begin(folder, EPOCHS)
    config = folder.config()
    folder.request_stop()
    lengthen(folder)
    withdraw(folder)
    assert folder.state() is RunState.STOPPED and folder.config() == config


def test_an_extension_that_failed_before_its_first_step_leaves_no_reason(
    finished: RunFolder,
) -> None:
    config = finished.config()
    lengthen(finished)
    finished.queued_file.unlink()
    finished.error_file.write_text("No data.\n")
    assert finished.state() is RunState.FAILED
    enqueue(finished)
    withdraw(finished)
    assert_untouched(finished, config)


@pytest.mark.parametrize("damage", ["command", "recipe", "extensions", "everything"])
def test_a_damaged_run_is_withdrawn_as_it_is(finished: RunFolder, damage: str) -> None:
    lengthen(finished)
    stored = finished.config()
    broken = [] if damage == "everything" else stored | {damage: 5}
    write_json(finished.config_file, broken)
    withdraw(finished)
    assert finished.state() is RunState.STOPPED
    assert json.loads(finished.config_file.read_text()) == broken


def test_a_full_queue_leaves_a_finished_run_finished(
    finished: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(finished.path.parent))
    monkeypatch.setattr(queue, "MOST_WAITING", 0)
    config = finished.config()
    with pytest.raises(RunError, match="no more are taken"):
        run_jobs.lengthen(finished.name, 3)
    assert_untouched(finished, config)


def test_extend_and_withdraw_from_a_terminal(finished: RunFolder) -> None:
    config, waiting = finished.config(), make(finished.path.parent / "waiting")
    enqueue(waiting)
    with queue_held_up(finished.path.parent):
        assert run("runs", "extend", finished.path, "--epochs", 3).returncode == 0
        assert finished.state() is RunState.QUEUED
        done = run("runs", "withdraw", finished.path)
    assert done.returncode == 0 and "it is finished" in done.stdout
    assert_untouched(finished, config)


def queue_held_up(runs: Path) -> Any:
    """As if a worker lived that starts nothing."""
    from resnet_core.locks import hold

    return hold(runs / ".worker.lock")


class Kill(BaseException):
    """The end of a process, which nothing outlives."""


def kill_at(patch: pytest.MonkeyPatch, number: int) -> list[str]:
    """Die before the change of the folder with this number; gives the changes that were made."""
    made: list[str] = []
    for name in ("replace", "rename", "unlink"):
        real = getattr(os, name)

        def change(*words: Any, _real: Any = real, **options: Any) -> None:
            if len(made) == number:
                raise Kill
            made.append(str(words[-1]))
            _real(*words, **options)

        patch.setattr(os, name, change)
    return made


@pytest.mark.parametrize("has_failed", [False, True])
def test_a_kill_between_any_two_writes_leaves_what_is_true(
    finished: RunFolder, tmp_path: Path, has_failed: bool
) -> None:
    config = finished.config()
    for number in range(100):
        folder = RunFolder(tmp_path / f"round{number}" / "run")
        shutil.copytree(finished.path, folder.path)
        try:
            with pytest.MonkeyPatch.context() as patch:
                kill_at(patch, number)
                lengthen(folder)
                if has_failed:
                    folder.error_file.write_text("No data.\n")
                withdraw(folder)
        except Kill:
            assert_true(folder)
        else:
            assert number > 6  # each of them was killed at
            break
        if folder.state() is not RunState.FINISHED:
            if folder.state() is not RunState.QUEUED:
                enqueue(folder)
            withdraw(folder)
        assert folder.config() == config and folder.summary() == SUMMARY
        lengthen(folder)  # nothing that was left behind is in the way
        assert folder.state() is RunState.QUEUED
        withdraw(folder)
        assert folder.state() is RunState.FINISHED
    else:
        pytest.fail("it never came to its end")


def assert_true(folder: RunFolder) -> None:
    """What it says of its length and its figures belongs together."""
    if folder.state() is RunState.FINISHED:
        assert folder.summary()["epochs"] == length(folder) == EPOCHS
    else:
        assert json.loads(folder.summary_file_at(EPOCHS).read_text()) == SUMMARY
        assert folder.state() is not RunState.STOPPED
    assert folder.onnx_file.exists()


def test_a_process_that_comes_after_the_withdrawal_leaves_the_run_alone(
    finished: RunFolder,
) -> None:
    config = finished.config()
    lengthen(finished)
    withdraw(finished)
    with pytest.raises(RunError, match="is finished: extend it"):
        claim(finished, {}, process_id=1)
    assert_untouched(finished, config)


def test_a_run_trains_as_long_as_its_config_says_once_it_is_claimed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "run")
    lengthen(folder)
    look = training_run.describe_environment

    def withdraw_meanwhile() -> dict[str, Any]:
        withdraw(folder)
        return look()

    monkeypatch.setattr(training_run, "describe_environment", withdraw_meanwhile)
    begun = next(event for event in execute(folder) if isinstance(event, Started))
    assert begun.total_steps == EPOCHS * begun.steps_per_epoch
    release(folder)
