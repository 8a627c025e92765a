"""Runs a study: its unfinished runs go into its queue, a worker trains them, this watches.

The worker and its runs live on when whoever watches is killed; the same command attaches again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import sleep
from typing import Any

from benchmarks.depth.study import Study
from resnet_core.errors import RunError
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.queue import enqueue, set_runs_at_once, withdraw
from resnet_core.runs.summary import describe_run
from resnet_core.runs.worker import ensure_worker

LOOK_EVERY_SECONDS = 1.0
MOVING = (RunState.QUEUED, RunState.RUNNING)


@dataclass(frozen=True)
class StudyProgress:
    """Where a study stands: the state of each of its runs, as `describe_run` says it."""

    rows: tuple[dict[str, Any], ...]

    def count(self, state: RunState) -> int:
        return sum(row["state"] == state.value for row in self.rows)

    @property
    def is_moving(self) -> bool:
        return any(self.count(state) for state in MOVING)

    @property
    def is_stopping(self) -> bool:
        """Whether all that moves was asked to stop."""
        moving = [row for row in self.rows if RunState(row["state"]) in MOVING]
        return bool(moving) and all(row["is_stopping"] for row in moving)

    @property
    def share_done(self) -> float:
        """Of all steps of all runs, weighted by what a run costs; 0 to 1."""
        done = [
            1.0 if row["state"] == RunState.FINISHED.value else row["epoch"] / row["epochs"]
            for row in self.rows
        ]
        weights = [row["depth"] for row in self.rows]
        total = sum(weights)
        return sum(d * w for d, w in zip(done, weights, strict=True)) / total if total else 0.0


def queue_runs(study: Study, folders: Sequence[RunFolder], at_once: int) -> int:
    """Queue what is unfinished and not on its way, and see that a worker lives.

    Returns:
        How many runs were queued.
    """
    set_runs_at_once(study.path, at_once)
    queued = 0
    for folder in folders:
        if folder.state() is RunState.FINISHED or folder.state() in MOVING:
            continue
        with suppress(RunError):  # another command queued it in between
            enqueue(folder)
            queued += 1
    ensure_worker(study.path)
    return queued


def look(study: Study) -> StudyProgress:
    """The study as it stands now; revives the worker where runs wait without one."""
    ensure_worker(study.path)
    return StudyProgress(tuple(describe_run(folder) for folder in study.folders()))


def watch(study: Study) -> Iterator[StudyProgress]:
    """Where the study stands, about once a second, until nothing of it runs or waits."""
    while True:
        progress = look(study)
        yield progress
        if not progress.is_moving:
            return
        sleep(LOOK_EVERY_SECONDS)


def stop(study: Study) -> int:
    """Take the waiting runs out of the queue and ask the running ones to stop.

    Returns:
        How many were asked to stop or withdrawn. The running ones write a checkpoint first.
    """
    asked = 0
    for folder in study.folders():
        state = folder.state()
        if state is RunState.QUEUED:
            with suppress(RunError):
                withdraw(folder)
                asked += 1
        if folder.state() is RunState.RUNNING:
            folder.request_stop()
            asked += 1
    return asked
