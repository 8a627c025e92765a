"""Measurements of speed: the files there are, and the one process that may be writing one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from time import strftime
from typing import Any

from benchmarks.throughput.machine import unlikeness
from benchmarks.throughput.settings import SpeedSettings
from benchmarks.throughput.stored import SHIPPED_FOLDER, StoredSpeed, read_speed
from resnet_core.errors import LabError, RunError
from resnet_core.locks import hold
from resnet_core.training.config import default_data_folder
from resnet_core.training.machine import cpu_flags, nvidia_driver
from ui import run_jobs
from ui.child import Child, reap
from ui.speed import tune_jobs

STATUS_ROW = "speed/now"  # its name where runs are listed too
LEAST_DONE = 4  # the first measurements also open and warm up


def folder() -> Path:
    return run_jobs.runs_folder() / "speed"


def child() -> Child:
    """The last measurement that a page started: two at a time would disturb each other."""
    return Child(folder() / "last.job", folder() / "last.log")


def live_file() -> Path | None:
    """What is being written; None while nothing is measured. It may not be there yet."""
    return last_file() if child().process_id() is not None else None


def last_file() -> Path | None:
    """What the last measurement that a page started wrote, or was to write."""
    facts = child().facts()
    return Path(facts["results"]) if facts else None


def list_files() -> list[Path]:
    """Results to look at: those that ship, then the person's own, newest first.

    The folders may hold files of other kinds, which are left out; what is being measured is in
    the list before it has a file.
    """
    found = [path for path in (*sorted(SHIPPED_FOLDER.glob("*.json")), *_own()) if read(path)]
    live = live_file()
    return [live, *found] if live is not None and live not in found else found


def _own() -> list[Path]:
    return sorted(folder().glob("*.json"), key=_when, reverse=True)


def _when(path: Path) -> tuple[str, str]:
    """When it was begun, as far as the file says, then its name, which tells the time as well."""
    stored = read(path)
    return (stored.began_at if stored else "", path.name)


def first_choice(paths: Sequence[Path]) -> Path | None:
    """What a page shows where nothing is picked.

    What is being measured, else the newest of one's own, else what ships of the likest machine.
    """
    own = [path for path in paths if not is_shipped(path)]
    return live_file() or next(iter(own), None) or min(paths, key=_unlike_here, default=None)


def _unlike_here(path: Path) -> tuple[bool, int]:
    stored = read(path)
    return unlikeness(stored.environment if stored else {}, _here())


@lru_cache(maxsize=1)
def _here() -> dict[str, Any]:
    """This machine's, of what PyTorch would tell, without it."""
    names = {"avx512f": "avx512_f"}
    return {"gpu": nvidia_driver(), "cpu_features": [names.get(f, f) for f in cpu_flags()]}


def is_shipped(path: Path) -> bool:
    return path.parent == SHIPPED_FOLDER


def read(path: Path) -> StoredSpeed | None:
    """The results in a file; None where it is not there yet, or holds something else."""
    try:
        facts = path.stat()
        return _read(path, facts.st_mtime_ns, facts.st_size)
    except (OSError, LabError):
        return None


@lru_cache(maxsize=64)
def _read(path: Path, written_at: int, size: int) -> StoredSpeed:
    return read_speed(path)


def start(settings: SpeedSettings) -> Path:
    """Measure in a process of its own, and give the file that it writes.

    Raises:
        ConfigError: an option that makes no sense.
        RunError: something is being measured already, here or for the answers in Classify.
    """
    settings.method()
    reap()
    folder().mkdir(parents=True, exist_ok=True)
    with hold(folder() / ".lock"):
        if child().process_id() is not None:
            raise RunError(
                "A measurement is running, and two would disturb each other: wait for it, or stop it."
            )
        if tune_jobs.is_running():
            raise RunError(
                "It is being measured which engine answers fastest, and the two would disturb each "
                "other: wait for it, which takes minutes at most."
            )
        path = folder() / f"{strftime('%Y%m%d-%H%M%S')}.json"
        words = ["benchmarks", *settings.words(), "--json", str(path)]
        # At the app's own priority: a net that trains below it disturbs the figures less.
        child().start(
            [*words, "--data-folder", str(default_data_folder().resolve())],
            {"command": settings.command, "results": str(path)},
        )
    return path


def stop() -> None:
    """End the measurement; what it has measured stays, marked as unfinished."""
    child().stop()


def eta_seconds(stored: StoredSpeed) -> float | None:
    """Of a live measurement, by the pace so far; None before there is one to speak of."""
    done, total = stored.progress["done"], stored.progress["total"]
    seconds = stored.progress.get("measuring_seconds") or 0.0
    return seconds * (total - done) / done if done >= LEAST_DONE and seconds else None


def status_rows() -> list[dict[str, Any]]:
    """The live measurement as a row of the status line; none while nothing is measured."""
    live = live_file()
    if live is None:
        return []
    stored = read(live)
    row = {"name": STATUS_ROW, "state": "running", "doing": "Measuring", "model": "speed"}
    if stored is None:
        return [row | {"eta_seconds": None}]
    return [
        row | {
            "eta_seconds": eta_seconds(stored), "step": stored.progress["done"],
            "total_steps": max(1, stored.progress["total"]),
        }
    ]  # fmt: skip
