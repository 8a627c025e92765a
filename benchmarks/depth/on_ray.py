"""A study's runs on a Ray cluster: one call that finishes them all."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.depth.collector import Collector, RunProgress
from resnet_core.errors import ConfigError, RunError
from resnet_core.runs.folder import RunFolder, RunState

__all__ = ["RunProgress", "train_on_ray"]

ROOT = Path(__file__).resolve().parents[2]
KNOCK_LIMIT_SECONDS = 10.0


def train_on_ray(
    folders: Sequence[RunFolder],
    address: str = "auto",
    at_once_per_gpu: int = 1,
    collect_seconds: float = 10.0,
) -> Iterator[RunProgress]:
    """Finish every unfinished run on the nodes of a cluster, as many at a time as have room.

    A run gets a share of a GPU where the cluster has GPUs and the run may use one, else as many
    CPU cores as its `threads` say (1 if they say all). A run whose process or node dies goes on
    elsewhere from the checkpoint that was collected last, three times in a row at the most
    without a new one. A run that fails by itself is not tried again. A `stop` file in a run's
    folder, written after this began, stops that run. Closing the iterator ends all processes on
    the cluster; their runs are then interrupted and can be resumed anywhere.

    Args:
        address: host and port of the cluster's head, or "auto" for the one of this machine.
        at_once_per_gpu: runs that share a GPU.
        collect_seconds: time between two copies of weights and checkpoints, as they are written;
            events come as they happen.

    Yields:
        Each run's progress about once a second, and once when it ends.

    Raises:
        ConfigError: `at_once_per_gpu` or `collect_seconds` makes no sense.
        RunError: Ray is not installed here, or there is no cluster at that address.
        LabError: a data set that has to be sent is missing or damaged.
    """
    _check(at_once_per_gpu, collect_seconds)
    ray = _import_ray()
    open_runs = [folder for folder in folders if folder.state() is not RunState.FINISHED]
    if not open_runs:
        return
    with _connection(ray, address):
        yield from Collector(ray, at_once_per_gpu, collect_seconds).collect(open_runs)


def _check(at_once_per_gpu: int, collect_seconds: float) -> None:
    problems = []
    if at_once_per_gpu < 1:
        problems.append(f"At least 1 run should share a GPU, not {at_once_per_gpu}.")
    if collect_seconds < 0:
        problems.append(f"Results can't be collected every {collect_seconds:g} seconds.")
    if problems:
        raise ConfigError(problems)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise RunError(
            "Ray is not installed here: `python -m pip install -r requirements-ray.txt`, or run "
            "the study on this machine, without --ray."
        ) from None
    return ray


@contextmanager
def _connection(ray: Any, address: str) -> Iterator[None]:
    # Nodes need no checkout: they get the two rooms that a run takes.
    code = {
        "py_modules": [str(ROOT / "resnet_core"), str(ROOT / "benchmarks")],
        "excludes": ["**/__pycache__"],
    }
    try:
        _knock(address)
        ray.init(
            address=address, runtime_env=code, log_to_driver=False, logging_level=logging.ERROR
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = " ".join(str(error).split())
        raise RunError(
            f"No Ray cluster answers at '{address}' ({reason}): start one with "
            "`ray start --head` and give the address that it prints."
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises OSError where nobody listens, for which Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), KNOCK_LIMIT_SECONDS).close()
