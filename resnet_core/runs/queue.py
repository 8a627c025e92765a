"""Runs that wait for their turn, as files: a run is in the queue while its `queued` file is there.

The file holds its place. Whoever changes places holds the queue's lock, so that the app, a second
app and command lines can share one queue.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from resnet_core.errors import ConfigError, RunError
from resnet_core.files import read_json, write_json, write_text
from resnet_core.locks import hold
from resnet_core.runs.folder import RunFolder, RunState, list_runs
from resnet_core.training.extension import take_back

MOST_AT_ONCE = 64
MOST_WAITING = 500


def enqueue(folder: RunFolder, get_ready: Callable[[], object] = lambda: None) -> None:
    """Put a run that is not running at the end of the queue.

    Args:
        get_ready: makes it one that can be queued, by an extension say; not done where too many wait.

    Raises:
        RunError: it is finished, runs, or waits already; or too many wait.
        LabError: it can't be made ready.
    """
    with hold(_lock_file(folder.path.parent)):
        places = [_place(run) for run in waiting(folder.path.parent)]
        if len(places) >= MOST_WAITING:
            raise RunError(
                f"{len(places)} runs wait already, and no more are taken: withdraw some first."
            )
        if folder.state() is RunState.FINISHED:
            folder.queued_file.unlink(missing_ok=True)  # of a withdrawal that was killed
        get_ready()
        state = folder.state()
        if state in (RunState.FINISHED, RunState.RUNNING, RunState.QUEUED):
            raise RunError(
                f"Run {folder.name} is {state.value}: only a run that stands still can be queued."
            )
        folder.stop_file.unlink(missing_ok=True)
        _put(folder, max(places, default=0) + 1)


def withdraw(folder: RunFolder) -> None:
    """Take a run out of the queue; what it had trained before stays.

    An extension of which no step was trained is taken back: a run that was finished is so again.

    Raises:
        RunError: it is not in the queue.
    """
    with hold(_lock_file(folder.path.parent)):
        if folder.state() is not RunState.QUEUED:
            raise RunError(
                f"Run {folder.name} is {folder.state().value}: only a queued run can be withdrawn."
            )
        with hold(folder.lock_file):
            if folder.state() is RunState.QUEUED:  # else a process has claimed it this moment
                take_back(folder)
        if folder.state() is RunState.FINISHED:
            folder.error_file.unlink(missing_ok=True)  # of the extension
        elif not folder.error_file.exists():
            folder.request_stop()
        folder.queued_file.unlink(missing_ok=True)


def refuse(folder: RunFolder, reason: str) -> None:
    """Take a queued run that can't begin out of the queue; it has failed, for this reason.

    One that is no longer queued is left alone: who began it says how it ended.

    Raises:
        OSError: its folder can't be written; it is still queued.
    """
    with hold(_lock_file(folder.path.parent)), hold(folder.lock_file):
        if folder.state() is RunState.QUEUED:
            # In this order: a kill between the two leaves it queued, and it is refused again.
            write_text(folder.error_file, f"{reason.rstrip()}\n")
            folder.queued_file.unlink(missing_ok=True)


def waiting(runs: Path) -> list[RunFolder]:
    """The queued runs, next one first."""
    queued = [run for run in list_runs(runs) if run.state() is RunState.QUEUED]
    return sorted(queued, key=lambda run: (_place(run), run.name))


def move(folder: RunFolder, place: int) -> None:
    """Give a queued run another place, 1 being the next to start.

    Raises:
        RunError: it is not in the queue.
    """
    with hold(_lock_file(folder.path.parent)):
        order = waiting(folder.path.parent)
        if folder.name not in [run.name for run in order]:
            raise RunError(f"Run {folder.name} is not in the queue: it can't be moved there.")
        others = [run for run in order if run.name != folder.name]
        others.insert(max(0, place - 1), folder)
        for number, run in enumerate(others, start=1):
            _put(run, number)


def runs_at_once(runs: Path) -> int:
    """How many runs of this folder may compute at a time; 1 unless set."""
    try:
        return int(read_json(_settings_file(runs))["runs_at_once"])
    except (OSError, KeyError, TypeError, ValueError, OverflowError):
        return 1


def set_runs_at_once(runs: Path, number: int) -> None:
    """Change how many runs may compute at a time.

    Raises:
        ConfigError: not 1 to 64.
    """
    if not 1 <= number <= MOST_AT_ONCE:
        raise ConfigError(f"Runs at once should be 1 to {MOST_AT_ONCE}, not {number}.")
    write_json(_settings_file(runs), {"runs_at_once": number})


def _put(folder: RunFolder, place: int) -> None:
    write_json(folder.queued_file, {"place": place})


def _place(folder: RunFolder) -> int:
    try:
        return int(read_json(folder.queued_file)["place"])
    except (OSError, KeyError, TypeError, ValueError, OverflowError):
        return 0  # edited by hand, or started this moment


def _settings_file(runs: Path) -> Path:
    return runs / "settings.json"


def _lock_file(runs: Path) -> Path:
    return runs / ".queue.lock"
