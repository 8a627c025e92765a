"""ONNX Runtime on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.engines.interface import Engine, Opener, OpenModel
from export.engines.profile_onnxruntime import profile_on_cpu
from export.precisions import existing_file
from export.session import OnnxSession

VERSION: str = ort.__version__


@dataclass(frozen=True)
class OnOnnxRuntime:
    """A session that answers with probabilities alone."""

    session: OnnxSession

    @property
    def name(self) -> str:
        return self.session.name

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.session.run(images)[1]


def _opener(spins: bool = True) -> Opener:
    def open_model(file: Path, precision: str, threads: int) -> OpenModel:
        session = OnnxSession(existing_file(file, precision), "cpu", threads, spins)
        return OnOnnxRuntime(session)

    return open_model


ENGINES = (
    Engine(
        "onnxruntime-cpu", "ONNX Runtime, CPU", ("fp32", "int8"), "any CPU; onnxruntime",
        lambda precision: None, _opener(), open_beside=_opener(spins=False),
        profile=profile_on_cpu,
    ),
)  # fmt: skip
