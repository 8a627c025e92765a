"""A run is a folder. This names its files, reads them, and says truthfully what state it is in."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from resnet_core.errors import RunError
from resnet_core.files import read_json, write_json, write_text


class RunState(Enum):
    """What a run is doing, judged from its folder and its process alone."""

    RUNNING = "running"
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

    @property
    def stop_file(self) -> Path:
        return self.path / "stop"

    @property
    def error_file(self) -> Path:
        return self.path / "error.txt"

    def state(self) -> RunState:
        """Finished, failed, running, stopped as asked, or interrupted (and resumable)."""
        if self.summary_file.exists():
            return RunState.FINISHED
        if self._is_alive():
            return RunState.RUNNING
        if self.error_file.exists():
            return RunState.FAILED
        if self.stop_file.exists():
            return RunState.STOPPED
        return RunState.INTERRUPTED

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
                kept = [earlier for earlier in kept if earlier.get("step", 0) <= event["step"]]
            kept.append(event)
        return kept

    def result_model_file(self) -> Path:
        """The weights to use: those the finished run kept, else the best or last so far.

        Raises:
            RunError: no weights were written yet.
        """
        keeps_best = self.config()["recipe"]["keep"] == "best"
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
                        yield json.loads(line)
                    except json.JSONDecodeError:
                        continue

    def _is_alive(self) -> bool:
        try:
            facts = read_json(self.environment_file)
        except (OSError, json.JSONDecodeError):
            return False
        return process_started_at(facts["process_id"]) == facts["process_started_at"]

    def _read(self, path: Path) -> dict[str, Any]:
        try:
            return read_json(path)
        except FileNotFoundError:
            raise RunError(
                f"{self.path} has no {path.name}: it is not a run folder, or the run has not come so far."
            ) from None
        except json.JSONDecodeError as error:
            raise RunError(f"{path} is damaged ({error}).") from None


def new_run_folder(runs: Path, model: str, data: str, config: dict[str, Any]) -> RunFolder:
    """Make `runs/<time>-<model>-<data>/` with its config; a number is added where the name is taken."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    for attempt in range(1000):
        suffix = f"-{attempt + 1}" if attempt else ""
        folder = RunFolder(runs / f"{stamp}-{model}-{data}{suffix}")
        try:
            folder.path.mkdir(parents=True)
        except FileExistsError:
            continue
        write_json(folder.config_file, config)
        return folder
    raise RunError(f"{runs} holds a thousand runs of this second: choose another --runs folder.")


def claim(folder: RunFolder, environment: dict[str, Any]) -> None:
    """Write down that this process now works on the run.

    Raises:
        RunError: another live process does.
    """
    if folder.state() is RunState.RUNNING:
        raise RunError(f"Run {folder.name} is already running: stop it first.")
    folder.stop_file.unlink(missing_ok=True)
    folder.error_file.unlink(missing_ok=True)
    identity = {"process_id": os.getpid(), "process_started_at": process_started_at(os.getpid())}
    write_json(folder.environment_file, environment | identity)


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
        return f"{psutil.Process(process_id).create_time():.2f}"
    except psutil.Error:
        return None
