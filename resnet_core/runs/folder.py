"""A run is a folder. This names its files, reads them, and says truthfully what state it is in."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from resnet_core.errors import RunError, briefly
from resnet_core.files import read_json, write_json, write_text
from resnet_core.locks import hold
from resnet_core.runs.kinds import wrong_kind

RESERVE_BYTES = 8192


class RunState(Enum):
    """What a run is doing, judged from its folder and its process alone."""

    RUNNING = "running"
    QUEUED = "queued"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    FINISHED = "finished"


@dataclass(frozen=True)
class RunFolder:
    """The files of one run; several processes may read while one writes."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def environment_file(self) -> Path:
        return self.path / "environment.json"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def last_model_file(self) -> Path:
        return self.path / "last.safetensors"

    @property
    def state_file(self) -> Path:
        return self.path / "last.state"

    @property
    def best_model_file(self) -> Path:
        return self.path / "best.safetensors"

    @property
    def summary_file(self) -> Path:
        return self.path / "summary.json"

    def summary_file_at(self, epochs: float) -> Path:
        """Where the summary is put aside of a run that was finished at this length and made longer."""
        return self.path / f"summary-{epochs:g}-epochs.json"

    @property
    def stop_file(self) -> Path:
        return self.path / "stop"

    @property
    def queued_file(self) -> Path:
        return self.path / "queued"

    @property
    def log_file(self) -> Path:
        """What the run's process printed, where it was started from the queue."""
        return self.path / "output.log"

    @property
    def onnx_file(self) -> Path:
        return self.path / "model.onnx"

    @property
    def tensorboard_folder(self) -> Path:
        return self.path / "tensorboard"

    @property
    def lock_file(self) -> Path:
        return self.path / ".lock"

    @property
    def reserve_file(self) -> Path:
        """Space set aside, so that a run that filled the disk can still say so."""
        return self.path / ".reserve"

    @property
    def error_file(self) -> Path:
        return self.path / "error.txt"

    def state(self) -> RunState:
        """Finished, running, queued, failed, stopped as asked, or interrupted (and resumable)."""
        if self.summary_file.exists():
            return RunState.FINISHED
        if self.process_id() is not None:
            return RunState.RUNNING
        if self.queued_file.exists():
            return RunState.QUEUED
        if self.error_file.exists():
            return RunState.FAILED
        if self.stop_file.exists():
            return RunState.STOPPED
        return RunState.INTERRUPTED

    def process_id(self) -> int | None:
        """The live process that works on the run; None if there is none."""
        try:
            facts = read_json(self.environment_file)
        except (OSError, ValueError):
            return None
        if not isinstance(facts, dict) or not isinstance(facts.get("process_id"), int):
            return None
        alive = process_started_at(facts["process_id"]) == facts.get("process_started_at", "")
        return facts["process_id"] if alive else None

    def request_stop(self) -> None:
        """Ask the run's process to write a checkpoint and exit."""
        write_text(self.stop_file, "")

    def config(self) -> dict[str, Any]:
        return self._read(self.config_file)

    def environment(self) -> dict[str, Any]:
        return self._read(self.environment_file)

    def summary(self) -> dict[str, Any]:
        """Final figures.

        Raises:
            RunError: the run has not finished.
        """
        return self._read(self.summary_file)

    def events(self) -> list[dict[str, Any]]:
        """What happened, in order. Steps a resumed run did again replace those it did before."""
        kept: list[dict[str, Any]] = []
        for event in self._raw_events():
            if event.get("event") == "started":
                begin = event.get("step", 0)
                kept = [earlier for earlier in kept if earlier.get("step", 0) <= begin]
            kept.append(event)
        return kept

    def result_model_file(self) -> Path:
        """The weights to use: those the finished run kept, else the best or last so far.

        Raises:
            RunError: no weights were written yet.
        """
        recipe = self.config().get("recipe")
        keeps_best = isinstance(recipe, dict) and recipe.get("keep") == "best"
        wanted = self.best_model_file if keeps_best else self.last_model_file
        if not wanted.exists():
            raise RunError(f"Run {self.name} has no weights yet: wait for its first epoch to end.")
        return wanted

    def _raw_events(self) -> Iterator[dict[str, Any]]:
        if not self.events_file.exists():
            return
        with open(self.events_file, encoding="utf-8", errors="replace") as file:
            for line in file:
                # A torn last line is what a kill mid-write leaves; it was never an event.
                if line.endswith("\n"):
                    try:
                        event = json.loads(line)
                    except (ValueError, RecursionError):
                        continue
                    # Edited by hand, a line may hold anything.
                    if isinstance(event, dict) and isinstance(event.get("step", 0), int):
                        yield event

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            held = read_json(path)
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(
                f"{self.path} has no {path.name}: it is not a run folder, or the run has not come so far."
            ) from None
        except (OSError, ValueError) as error:
            raise RunError(f"{path} is damaged ({briefly(error)}).") from None
        if not isinstance(held, dict):
            raise RunError(f"{path} is damaged (it holds no JSON object).")
        if said := wrong_kind(path.name, held):
            raise RunError(f"{path} is damaged ({said}).")
        return held


def list_runs(runs: Path) -> list[RunFolder]:
    """All runs under a folder, newest first."""
    if not runs.is_dir():
        return []
    paths = [p for p in runs.iterdir() if not p.name.startswith(".")]
    found = [RunFolder(path) for path in paths if (path / "config.json").is_file()]
    return sorted(found, key=lambda run: run.name, reverse=True)


def find_run(name: str, runs: Path) -> RunFolder:
    """A run by its folder, or by its name under `runs`.

    Raises:
        RunError: there is none.
    """
    for path in (Path(name), runs / name):
        if (path / "config.json").is_file():
            return RunFolder(path)
    raise RunError(f"There is no run at {name}: give a run's folder or its name.")


def new_run_folder(runs: Path, model: str, data: str, config: dict[str, Any]) -> RunFolder:
    """Make `runs/<time>-<model>-<data>/` with its config; a number is added where the name is taken."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        suffix = f"-{attempt + 1}" if attempt else ""
        folder = RunFolder(runs / f"{stamp}-{model}-{data.replace('/', '-')}{suffix}")
        try:
            folder.path.mkdir(parents=True)
        except FileExistsError:
            continue
        write_json(folder.config_file, config)
        return folder
    raise RunError(f"{runs} holds a thousand runs of this second: choose another --runs folder.")


def delete_run(folder: RunFolder) -> None:
    """Delete a run's folder; renamed first, so that a kill leaves no half of a run to be seen.

    Raises:
        RunError: its process is alive, or the system refuses.
    """
    doomed = folder.path.with_name(f".deleted-{folder.name}")
    shutil.rmtree(
        doomed, ignore_errors=True
    )  # a run of the same name, whose deletion was cut short
    try:
        _put_aside(folder, doomed, within_lock=os.name != "nt")
    except OSError as error:
        raise RunError(
            f"Run {folder.name} can't be deleted ({error.strerror}): close what has its files open "
            f"and see that {folder.path.parent} can be written, then delete it again."
        ) from None
    try:
        shutil.rmtree(doomed)
    except OSError as error:
        raise RunError(
            f"Run {folder.name} is deleted, but files of it are left ({error.strerror}): close what "
            f"has them open, then delete the folder {doomed}."
        ) from None


def _put_aside(folder: RunFolder, doomed: Path, within_lock: bool) -> None:
    """Rename a run that stands still.

    Args:
        within_lock: whether the lock, a file in the folder, is held meanwhile. Windows renames no
            folder with an open file in it, so there the run is looked at again afterwards.

    Raises:
        RunError: the run's process is alive; its folder is where it was.
        OSError: the system refuses.
    """
    with hold(folder.lock_file):
        _refuse_if_running(folder)
        if within_lock:
            folder.path.rename(doomed)
    if not within_lock:
        folder.path.rename(doomed)
        if RunFolder(doomed).state() is RunState.RUNNING:  # it was claimed between lock and rename
            doomed.rename(folder.path)
            _refuse_if_running(folder)


def _refuse_if_running(folder: RunFolder) -> None:
    if folder.state() is RunState.RUNNING:
        raise RunError(f"Run {folder.name} is running: stop it before deleting it.")


def sweep_deleted(runs: Path) -> None:
    """Finish the deletions that a kill cut short."""
    for doomed in runs.glob(".deleted-*"):
        shutil.rmtree(doomed, ignore_errors=True)


def refuse_if_finished(folder: RunFolder) -> None:
    """Raises RunError where there is nothing left to train."""
    if folder.state() is RunState.FINISHED:
        raise RunError(f"Run {folder.name} is finished: extend it to train longer.")


def claim(folder: RunFolder, environment: dict[str, Any], process_id: int | None = None) -> None:
    """Write down that a process, this one if none is named, now works on the run.

    A stop that was asked for before stays asked for; who starts a run takes it back.

    Raises:
        RunError: another live process does, or the run is finished.
    """
    process_id = process_id or os.getpid()
    with hold(folder.lock_file):
        if folder.process_id() not in (None, process_id):
            raise RunError(f"Run {folder.name} is already running: stop it first.")
        refuse_if_finished(folder)  # by a withdrawal, perhaps, since its process was started
        started_at = process_started_at(process_id)
        identity = {"process_id": process_id, "process_started_at": started_at}
        folder.reserve_file.write_bytes(bytes(RESERVE_BYTES))
        write_json(folder.environment_file, environment | identity)
        folder.queued_file.unlink(missing_ok=True)
        folder.error_file.unlink(missing_ok=True)


def release(folder: RunFolder) -> None:
    """Write down that this process, which lives on, works on the run no longer."""
    with hold(folder.lock_file):
        if folder.process_id() == os.getpid():
            # No process ever began at "": the number alone says who it was.
            write_json(folder.environment_file, folder.environment() | {"process_started_at": ""})


def process_started_at(process_id: int) -> str | None:
    """When a process began, as an opaque word; None if there is none (or it is a zombie).

    Number and start time together name one process for good: numbers alone come round again.
    """
    stat = Path(f"/proc/{process_id}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            # The second field is the program's name in brackets and may hold anything.
            fields = re.sub(r"^.*\) ", "", stat.read_text(), flags=re.DOTALL).split()
        except OSError:
            return None
        return None if fields[0] == "Z" else fields[19]
    return _process_started_at_elsewhere(process_id)


def _process_started_at_elsewhere(process_id: int) -> str | None:
    import psutil  # not needed on Linux, where GPU boxes may lack it

    try:
        process = psutil.Process(process_id)
        is_zombie = process.status() == psutil.STATUS_ZOMBIE  # macOS tells their start as well
        return None if is_zombie else f"{process.create_time():.2f}"
    except psutil.Error:
        return None
