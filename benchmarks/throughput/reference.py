"""The answers that every engine is held against: PyTorch's in fp32, on the CPU.

A GPU's fp32 is TF32 unless it is told not to, which has fewer digits.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.throughput.cases import Setup
from benchmarks.throughput.measure import Worker
from export.engines.catalogue import find_choice

REFERENCE = "pytorch-eager:fp32"
ON_CPU = {"CUDA_VISIBLE_DEVICES": ""}


def reference_classes(model: str, images: Path) -> NDArray[np.int64]:
    """The class of each image in a `.npy` file, (N,), in a process of its own.

    Raises:
        LabError: PyTorch can't open the model.
    """
    worker = Worker(Setup(model, find_choice(REFERENCE), 0), variables=ON_CPU)
    try:
        return worker.until_open().classes(images)
    finally:
        worker.close()
