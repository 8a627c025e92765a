"""Runs that share a process: each comes out as it does alone, and none takes another with it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resnet_core.events import Event, Finished, Started, Stepped
from resnet_core.files import write_json
from resnet_core.models.config import parse_model_name
from resnet_core.runs import worker
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.queue import enqueue, set_runs_at_once, waiting
from resnet_core.training import run as training_run
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import create_run
from resnet_core.training.recipes import RECIPES
from resnet_core.training.run import execute
from resnet_core.training.together import queued, train_together
from tests.resnet_core.live_runs import assert_same_weights, run

SHORT = RECIPES["taste"].changed(epochs=0.05, validation_images=100)
TOO_LARGE = SHORT.changed(batch_size=20_000)


def make(path: Path, seed: int, recipe: Any = SHORT) -> RunFolder:
    config = TrainConfig(
        model=parse_model_name("resnet8_v1"), data="shapes", recipe=recipe, seed=seed, data_folder="unused",
        device="cpu", compile="off",
    )  # fmt: skip
    return create_run(config, path.parent, path)


def test_runs_together_end_as_each_does_alone(tmp_path: Path) -> None:
    alone = [make(tmp_path / f"alone{seed}", seed) for seed in (0, 1)]
    for folder in alone:
        list(execute(folder))
    together = [make(tmp_path / f"together{seed}", seed) for seed in (0, 1)]
    heard: list[tuple[str, Event | Exception]] = []
    train_together(iter(together), 2, lambda folder, event: heard.append((folder.name, event)))
    for one, other in zip(alone, together, strict=True):
        assert_same_weights(one, other)
        assert one.summary()["test_error_percent"] == other.summary()["test_error_percent"]
    kinds = [(name, type(event)) for name, event in heard]
    # Both were set up before either took a step.
    assert kinds[:2] == [("together0", Started), ("together1", Started)]
    assert {name for name, kind in kinds if kind is Finished} == {"together0", "together1"}


def test_a_run_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    folders = [make(tmp_path / "bad", 0, TOO_LARGE), make(tmp_path / "good", 1)]
    heard: list[tuple[str, Exception]] = []

    def hear(folder: RunFolder, event: Event | Exception) -> None:
        if isinstance(event, Exception):
            heard.append((folder.name, event))

    train_together(iter(folders), 1, hear)
    assert [folder.state() for folder in folders] == [RunState.FAILED, RunState.FINISHED]
    [(name, error)] = heard
    assert name == "bad" and "20000 images" in str(error)
    assert str(error) in folders[0].error_file.read_text()


def test_a_stop_reaches_one_of_several(tmp_path: Path) -> None:
    long = SHORT.changed(epochs=50)
    folders = [make(tmp_path / "stopped", 0, long), make(tmp_path / "short", 1)]

    def stop_first(folder: RunFolder, event: Event | Exception) -> None:
        if folder.name == "short" and isinstance(event, Finished):
            folders[0].request_stop()

    train_together(iter(folders), 2, stop_first)
    assert [folder.state() for folder in folders] == [RunState.STOPPED, RunState.FINISHED]
    assert folders[0].state_file.exists()


@pytest.mark.parametrize("at_once", [1, 2])
def test_an_interrupt_stops_all_with_a_checkpoint(tmp_path: Path, at_once: int) -> None:
    folder = make(tmp_path / "long", 0, SHORT.changed(epochs=50))

    def one_then_interrupt() -> Iterator[RunFolder]:
        yield folder
        raise KeyboardInterrupt

    def stop_soon(_: RunFolder, event: Event | Exception) -> None:
        if at_once == 1 and isinstance(event, Stepped):
            folder.request_stop()  # gives up its place, so that the next is asked for

    with pytest.raises(KeyboardInterrupt):
        train_together(one_then_interrupt(), at_once, stop_soon)
    assert folder.state() is RunState.STOPPED and folder.state_file.exists()


def test_the_queue_is_trained_in_its_order_in_one_process(tmp_path: Path) -> None:
    for name, seed in (("b", 0), ("a", 1)):
        enqueue(make(tmp_path / name, seed))
    assert [folder.name for folder in waiting(tmp_path)] == ["b", "a"]
    done = run("runs", "together", "--runs", tmp_path, "--at-once", 1)
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == ["b", "a"]
    folders = [RunFolder(tmp_path / name) for name in ("a", "b")]
    assert all(folder.state() is RunState.FINISHED for folder in folders)
    assert not waiting(tmp_path)


def test_a_run_that_can_not_be_claimed_does_not_hold_up_the_queue(tmp_path: Path) -> None:
    enqueue(make(tmp_path / "first", 0))
    enqueue(make(tmp_path / "second", 1))
    assert [folder.name for folder in queued(tmp_path)] == ["first", "second"]


def spoil(folder: RunFolder, how: str) -> None:
    """Make the run one that is refused before it is claimed."""
    config = folder.config()
    match how:
        case "made by torchrun":
            write_json(folder.config_file, config | {"devices": 2})
        case "of another version":
            write_json(folder.config_file, config | {"format": "resnet-lab-run-9"})
        case "without a device":
            write_json(folder.config_file, {k: v for k, v in config.items() if k != "device"})
        case "unreadable":
            folder.config_file.write_text("{")


@pytest.mark.parametrize(("how", "reason"), [
    ("made by torchrun", "trains with 2 process"), ("of another version", "resnet-lab-run-9"),
    ("without a device", "device"), ("unreadable", "is damaged"),
])  # fmt: skip
def test_a_refused_run_leaves_the_queue_with_its_reason(
    tmp_path: Path, how: str, reason: str
) -> None:
    bad, good = make(tmp_path / "bad", 0), make(tmp_path / "good", 1, TOO_LARGE)
    for folder in (bad, good):
        enqueue(folder)
    spoil(bad, how)
    heard: list[str] = []
    train_together(queued(tmp_path), 1, lambda folder, event: heard.append(folder.name))
    assert waiting(tmp_path) == [] and set(heard) == {"bad", "good"}  # the other had its turn
    assert bad.state() is RunState.FAILED and reason in bad.error_file.read_text()
    enqueue(bad)  # once it is mended, it can be tried again
    assert bad.state() is RunState.QUEUED


def test_a_run_whose_folder_can_not_be_written_waits_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "one", 0)
    enqueue(folder)

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(training_run, "claim", fail)
    heard: list[Event | Exception] = []
    train_together(queued(tmp_path), 1, lambda _, event: heard.append(event))
    assert folder.state() is RunState.QUEUED and not folder.error_file.exists()
    assert [type(event) for event in heard] == [OSError]


def test_a_process_that_takes_no_run_is_not_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueue(make(tmp_path / "one", 0))
    set_runs_at_once(tmp_path, 2)
    started: list[list[str]] = []

    class Child:
        def wait(self) -> int:
            return 2

    def note(words: list[str], log: Path) -> Child:
        assert not started, "a worker that never ends"
        started.append(words)
        return Child()

    monkeypatch.setattr(worker, "nvidia_driver", lambda: "580.1")
    monkeypatch.setattr(worker, "start_detached", note)
    worker.work(tmp_path)
    assert len(started) == 1 and len(waiting(tmp_path)) == 1


@pytest.mark.parametrize(("driver", "at_once", "expected"), [
    ("580.1", 4, "together"), ("580.1", 1, "resume"), (None, 4, "resume"),
])  # fmt: skip
def test_only_on_a_gpu_do_queued_runs_share_a_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, driver: str | None, at_once: int, expected: str
) -> None:
    enqueue(make(tmp_path / "one", 0))
    set_runs_at_once(tmp_path, at_once)
    started: list[list[str]] = []

    class Child:
        pid, returncode = 1, 0

        def wait(self) -> int:
            return 0

        def poll(self) -> int:
            return 0

    def note(words: list[str], log: Path) -> Child:
        started.append(words)
        RunFolder(tmp_path / "one").queued_file.unlink()
        return Child()

    monkeypatch.setattr(worker, "nvidia_driver", lambda: driver)
    monkeypatch.setattr(worker, "start_detached", note)
    monkeypatch.setattr(worker, "claim", lambda *_: None)
    worker.work(tmp_path)
    assert [expected in words for words in started] == [True]
