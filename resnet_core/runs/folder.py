"""A run is a folder. This names its files, reads them, and says truthfully what state it is in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from resnet_core.errors import RunError, briefly
from resnet_core.files import read_json, write_json, write_text
from resnet_core.runs.kinds import wrong_kind
from resnet_core.runs.processes import process_started_at


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
