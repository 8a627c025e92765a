"""What an engine is: how it is called, what it needs, and how it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from export.engines.profile import Profiler
from resnet_core.errors import ModelError, briefly

ALL_THREADS = 0


class OpenModel(Protocol):
    """A model that an engine holds ready."""

    @property
    def name(self) -> str:
        """What really runs: library, version, device and precision."""

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 RGB (N, size, size, 3) → probabilities, float32 (N, classes). Any N, any thread.

        Raises:
            ModelError: the engine failed, such as for want of memory.
        """


@runtime_checkable
class HoldsImages(Protocol):
    """An open model on a device with memory of its own, so that copies can be left out of a time."""

    def hold(self, images: NDArray[np.uint8]) -> Callable[[], None]:
        """Copy images there once; each call answers them there, and returns when it is done."""


def on_gpu(precision: str) -> str:
    """What a format is on a GPU: convolutions of fp32 round their inputs to TF32, which is faster."""
    return "fp32 (TF32)" if precision == "fp32" else precision


def cannot_answer(name: str, error: Exception) -> ModelError:
    """What a library's own exception becomes."""
    return ModelError(f"{name} failed ({briefly(error)}): choose another engine.")


def padded_size(images: int) -> int:
    """The power of two that holds so many images: few sizes are recorded, and none is twice too large."""
    return 1 << (images - 1).bit_length()


Opener = Callable[[Path, str, int], OpenModel]
"""(ONNX file, precision, threads; 0 for all) → an open model. Raises ModelError."""


@dataclass(frozen=True)
class Obstacle:
    """Why an engine can't be used here."""

    reason: str
    """A clause, such as: there is no NVIDIA GPU."""
    install: str = ""
    """The line that mends it; empty where no installation does."""


@dataclass(frozen=True)
class Engine:
    """One way to run an exported model."""

    key: str
    """Its name on command lines and in result files, such as onnxruntime-cpu."""
    title: str
    precisions: tuple[str, ...]
    """Those it offers, the exact one first."""
    needs: str
    """Hardware and library, in words."""
    obstacle: Callable[[str], Obstacle | None]
    """precision → what keeps it from being used here."""
    open: Opener
    runs_the_file: bool = True
    """Whether it runs the ONNX file itself, and so needs no PyTorch."""
    open_beside: Opener | None = None
    """The same for an engine that shares the cores with decoders; None where that is `open`."""
    opens_alone: bool = False
    """Whether it times kernels while it opens, which other work on the machine would distort."""
    profile: Profiler | None = None
    """Times of what it runs, operation by operation; None where it can't tell."""
