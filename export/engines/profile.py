"""Where an engine's time goes: what it ran, operation by operation, in several runs of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

WARM_RUNS = 5


@dataclass(frozen=True)
class Operation:
    """One piece of work in one run."""

    name: str
    """As the engine calls it; unique within a run."""
    layer: str
    """The net's layer it belongs to, such as stage1.0.conv2; empty for none."""
    kind: str
    """What it does, in the engine's own word."""
    milliseconds: float


@dataclass(frozen=True)
class ProfiledRun:
    """One run of a batch, slowed a little by being watched."""

    milliseconds: float
    """From pixels to probabilities, on the clock."""
    operations: tuple[Operation, ...]
    """In the order they ran."""


@dataclass(frozen=True)
class Profile:
    """What was measured, and what really ran it."""

    engine: str
    runs: tuple[ProfiledRun, ...]
    runs_each: int = 1
    """Runs that each of them is the mean of: some engines keep nothing finer."""


Profiler = Callable[[Path, str, int, NDArray[np.uint8], int], Profile]
"""(ONNX file, precision, threads; 0 for all, images (N, size, size, 3), runs) → times of each run,
warmed up first. Raises ModelError."""
