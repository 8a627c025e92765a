"""ONNX Runtime on the CPU, on CUDA and with TensorRT: the provider that really runs is asserted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.engines.interface import Engine, Obstacle, Opener, OpenModel
from export.engines.profile_onnxruntime import profile_on_cpu
from export.precisions import existing_file
from export.session import PROVIDERS, OnnxSession, has_nvidia_gpu

VERSION: str = ort.__version__
WITH_CUDA = 'pip install "onnxruntime-gpu[cuda,cudnn]"'


@dataclass(frozen=True)
class OnOnnxRuntime:
    """A session that answers with probabilities alone."""

    session: OnnxSession

    @property
    def name(self) -> str:
        return self.session.name

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.session.run(images)[1]


def _opener(provider: str, spins: bool = True) -> Opener:
    def open_model(file: Path, precision: str, threads: int) -> OpenModel:
        session = OnnxSession(existing_file(file, precision), provider, threads, spins)
        return OnOnnxRuntime(session)

    return open_model


def _gpu_obstacle(provider: str) -> Callable[[str], Obstacle | None]:
    def obstacle(precision: str) -> Obstacle | None:
        if not has_nvidia_gpu():
            return Obstacle("there is no NVIDIA GPU")
        if PROVIDERS[provider] not in ort.get_available_providers():
            return Obstacle(f"this ONNX Runtime was built without {PROVIDERS[provider]}", WITH_CUDA)
        return None

    return obstacle


ENGINES = (
    Engine(
        "onnxruntime-cpu", "ONNX Runtime, CPU", ("fp32", "int8"), "any CPU; onnxruntime",
        lambda precision: None, _opener("cpu"), open_beside=_opener("cpu", spins=False),
        profile=profile_on_cpu,
    ),
    Engine(
        "onnxruntime-cuda", "ONNX Runtime, CUDA", ("fp32", "fp16", "int8"),
        "an NVIDIA GPU; onnxruntime-gpu with its CUDA libraries",
        _gpu_obstacle("cuda"), _opener("cuda"),
    ),
    Engine(
        "onnxruntime-tensorrt", "ONNX Runtime, TensorRT", ("fp32", "fp16", "int8"),
        "an NVIDIA GPU; onnxruntime-gpu and TensorRT",
        _gpu_obstacle("tensorrt"), _opener("tensorrt"),
    ),
)  # fmt: skip
