"""OpenVINO on the CPU, with the precision said and not left to it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.engines.interface import Engine, Obstacle, OpenModel
from export.precisions import existing_file
from resnet_core.errors import ModelError

# What a quantised file leaves in fp32 stays there.
HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
DEVICE = "CPU"


@dataclass(frozen=True)
class _OnOpenVino:
    compiled: Any
    name: str

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Copied: the request's own memory is overwritten by its next answer.
        return np.array(self.compiled({"image": images})["probabilities"], dtype=np.float32)


def _open(file: Path, precision: str, threads: int) -> OpenModel:
    import openvino

    file = existing_file(file, precision)
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": HINTS[precision]}
    if threads:
        options["INFERENCE_NUM_THREADS"] = threads
    try:
        core = openvino.Core()
        # Bytes, not a path: a file read from memory can't pull in other files as its weights.
        compiled = core.compile_model(core.read_model(file.read_bytes()), DEVICE, options)
    except RuntimeError as error:
        raise ModelError(f"OpenVINO can't open {file} ({error}).") from None
    version = openvino.get_version().split("-")[0]
    return _OnOpenVino(compiled, f"OpenVINO {version}, CPU, {precision}")


def _obstacle(precision: str) -> Obstacle | None:
    if find_spec("openvino") is None:
        return Obstacle("OpenVINO is not installed", "pip install openvino")
    if precision == "fp32":
        return None
    import openvino

    able = openvino.Core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    if precision.upper() in able:
        return None
    return Obstacle(f"this CPU does not multiply {precision} natively")


ENGINES = (
    Engine(
        "openvino-cpu", "OpenVINO, CPU", ("fp32", "bf16", "int8"), "a CPU, bf16 with AMX or AVX512-BF16; openvino", _obstacle, _open,
    ),
)  # fmt: skip
