"""Hands runs to the nodes of a Ray cluster and collects what they write into the runs' folders.

A run is claimed by this process while a node computes it, so its folder says "running" as long as
somebody collects, and "interrupted", to be resumed, when that ends before the run does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks.depth.on_node import Assignment, SentData, Trainer
from benchmarks.depth.parcels import Parcel, pack_for_node, unpack_at_home
from benchmarks.depth.sent_data import DataStore
from resnet_core.errors import RunError
from resnet_core.files import write_text
from resnet_core.runs.claims import claim, release
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import read_config

LOOK_EVERY_SECONDS = 0.5
MOST_LOSSES = 3
"""Times in a row that a run's process may die without a checkpoint in between."""
BUSY = "another process works on it"


@dataclass(frozen=True)
class RunProgress:
    """Where one run of several stands. Its figures are in its folder already."""

    folder: RunFolder
    state: RunState
    """Running, finished, stopped, failed, or interrupted when another process has the run."""
    step: int = 0
    total_steps: int = 0
    """0 until the run has begun."""
    node: str = ""
    """Address of the machine that computes; empty while none does."""
    process_id: int | None = None
    """Of the process that computes, on that machine."""
    note: str = ""
    """What happened, in a sentence, where it is more than a step forward."""


@dataclass
class _Job:
    """A run that is with the cluster."""

    folder: RunFolder
    resources: dict[str, float]
    data: SentData | None
    trainer: Any = None
    parcels: Any = None
    last: Parcel | None = None
    """Of the process that computes now."""
    losses: int = 0
    is_stopping: bool = False

    def progress(self, state: RunState, note: str = "") -> RunProgress:
        if self.last is None:
            return RunProgress(self.folder, state, note=note)
        last = self.last
        return RunProgress(
            self.folder, state, last.step, last.total_steps, last.node, last.process_id, note
        )


@dataclass
class Collector:
    """Hands runs out and collects what they write."""

    ray: Any
    at_once_per_gpu: int
    collect_seconds: float
    jobs: list[_Job] = field(default_factory=list)
    commit: str | None = None

    def collect(self, folders: Sequence[RunFolder]) -> Iterator[RunProgress]:
        from resnet_core.training.run import current_commit

        self.commit = current_commit()
        try:
            yield from self._hand_out(folders)
            while self.jobs:
                for job in list(self.jobs):
                    yield from self._heed_stop(job)
                yield from self._take_next()
        finally:
            for job in list(self.jobs):
                self._drop(job)

    def _hand_out(self, folders: Sequence[RunFolder]) -> Iterator[RunProgress]:
        store = DataStore(self.ray.put)
        nodes = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        has_gpus = any(node.get("GPU", 0) >= 1 for node in nodes)
        most_cores = max((node.get("CPU", 0) for node in nodes), default=0)
        for folder in folders:
            if folder.state() is RunState.RUNNING:
                yield RunProgress(folder, RunState.RUNNING, note=BUSY)
                continue
            config = read_config(folder)
            resources = resources_for(config, has_gpus, most_cores, self.at_once_per_gpu)
            job = _Job(folder, resources, store.send(config))
            folder.stop_file.unlink(missing_ok=True)  # who starts a run takes its stop back
            self._submit(job)
            self.jobs.append(job)

    def _submit(self, job: _Job) -> None:
        # Two calls at a time: `stop` beside `train`.
        actor = self.ray.remote(Trainer).options(max_concurrency=2, max_restarts=0, **job.resources)
        assignment = Assignment(
            job.folder.name, pack_for_node(job.folder), job.data, self.commit, self.collect_seconds
        )
        job.trainer, job.last, job.is_stopping = actor.remote(), None, False
        job.parcels = job.trainer.train.remote(assignment)

    def _heed_stop(self, job: _Job) -> Iterator[RunProgress]:
        if job.is_stopping or not job.folder.stop_file.exists():
            return
        if job.last is None:  # nothing is lost that was not collected
            yield self._end(job, RunState.STOPPED)
            return
        job.is_stopping = True
        job.trainer.stop.remote()

    def _take_next(self) -> Iterator[RunProgress]:
        if not self.jobs:
            return
        ready, _ = self.ray.wait(
            [job.parcels for job in self.jobs], timeout=LOOK_EVERY_SECONDS, fetch_local=False
        )
        for job in [job for job in self.jobs if any(job.parcels is one for one in ready)]:
            yield self._take(job)

    def _take(self, job: _Job) -> RunProgress:
        from ray.exceptions import RayError, RayTaskError

        try:
            parcel = self.ray.get(next(job.parcels))
        except StopIteration:
            return self._end(job)
        except RayTaskError as error:  # ours or the node's fault: it would happen again
            return self._fail(job, f"{error}")
        except RayError as error:
            return self._go_on_elsewhere(job, error)
        try:
            self._store(job, parcel)
        except RunError:  # another process claimed the run meanwhile
            self._drop(job)
            return job.progress(RunState.RUNNING, BUSY)
        except OSError as error:
            raise RunError(
                f"{job.folder.path} can't be written ({error}): make room, then start the study "
                "again; what was collected before is whole."
            ) from None
        return job.progress(RunState.RUNNING)

    def _store(self, job: _Job, parcel: Parcel) -> None:
        if parcel.has(job.folder.environment_file):
            claim(job.folder, json.loads(parcel.files[job.folder.environment_file.name]))
        unpack_at_home(parcel, job.folder)
        job.last = parcel
        if parcel.has(job.folder.state_file):
            job.losses = 0

    def _go_on_elsewhere(self, job: _Job, error: Exception) -> RunProgress:
        job.losses += 1
        reason = f"{error}".strip().split("\n")[0]
        if job.losses >= MOST_LOSSES:
            return self._fail(
                job,
                f"The process that trained {job.folder.name} died {job.losses} times in a row "
                f"without a checkpoint in between ({reason}): see that the nodes have memory "
                "enough and the same versions as this machine, then resume the run.",
            )
        lost = job.progress(RunState.RUNNING, f"its process was lost; goes on elsewhere ({reason})")
        self._kill(job)
        self._submit(job)
        return lost

    def _fail(self, job: _Job, reason: str) -> RunProgress:
        write_text(job.folder.error_file, f"{reason.rstrip()}\n")
        return self._end(job)

    def _end(self, job: _Job, state: RunState | None = None) -> RunProgress:
        self._drop(job)
        return job.progress(state or job.folder.state())

    def _drop(self, job: _Job) -> None:
        self.jobs.remove(job)
        self._kill(job)
        with suppress(OSError):  # a full disk; the end of this process releases it too
            release(job.folder)

    def _kill(self, job: _Job) -> None:
        self.ray.kill(job.trainer)  # at once: a node that is gone does not matter


def resources_for(
    config: TrainConfig, has_gpus: bool, most_cores: float, at_once_per_gpu: int
) -> dict[str, float]:
    """What a run asks the cluster for, by Ray's names.

    Args:
        most_cores: cores of the node that has most; more would be waited for in vain.
    """
    if has_gpus and config.device != "cpu":
        # No core besides: a small one should not decide how many runs share the GPUs.
        return {"num_gpus": 1 / at_once_per_gpu, "num_cpus": 0}
    # Ray limits threads to the cores asked for, so that runs side by side do not fight.
    return {"num_gpus": 0, "num_cpus": max(1, min(config.threads, int(most_cores)))}
