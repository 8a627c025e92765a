"""Where a run stands, in a few figures that are remembered: lists ask for every run's each second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from resnet_core.runs.folder import RunFolder
from resnet_core.runs.history import History, read_history

MOST_REMEMBERED = 10_000
"""Runs; about 1 KB each."""


@dataclass(frozen=True)
class Standing:
    """A run's latest figures; None where there are none."""

    step: int
    total_steps: int
    epoch: float
    train_error_percent: float | None
    validation_error_percent: float | None
    best_validation_error_percent: float | None
    images_per_second: float | None
    train_seconds: float
    eta_seconds: float | None


def read_standing(folder: RunFolder, is_growing: bool) -> Standing:
    """The run's latest figures; its events are read only where they changed since.

    Args:
        is_growing: whether more is soon to come, so that the curves read so far are kept as well.

    Raises:
        RunError: the folder holds no run.
    """
    file = folder.events_file
    state = _state(file)  # before the reading: what comes in between is seen the next time
    known = _standings.get(file)
    if known is not None and known[0] == state:
        return known[1]
    standing = _standing(read_history(folder, is_kept=is_growing))
    with _lock:
        _standings.pop(file, None)
        while len(_standings) >= MOST_REMEMBERED:
            # The newest: lists go through all runs in turn, so that of the oldest each would be
            # forgotten just before it is asked for.
            _standings.popitem()
        _standings[file] = (state, standing)
    return standing


def _standing(history: History) -> Standing:
    last, epochs = history.last, history.epochs
    return Standing(
        step=last.step if last else 0,
        total_steps=history.total_steps,
        epoch=last.epoch if last else 0.0,
        train_error_percent=last.train_error_percent if last else None,
        validation_error_percent=epochs[-1].validation_error_percent if epochs else None,
        best_validation_error_percent=history.best_validation_error_percent,
        images_per_second=last.images_per_second if last else None,
        train_seconds=last.train_seconds if last else 0.0,
        eta_seconds=history.eta_seconds,
    )


def _state(file: Path) -> tuple[int, ...] | None:
    """What tells one content of the file from another; None where there is no file."""
    try:
        facts = file.stat()
    except FileNotFoundError:
        return None
    return facts.st_mtime_ns, facts.st_size, facts.st_ino


_lock = Lock()
_standings: dict[Path, tuple[tuple[int, ...] | None, Standing]] = {}
