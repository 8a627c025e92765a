"""OpenVINO on the CPU, with the precision said and not left to it."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.engines.interface import Engine, Obstacle, OpenModel, cannot_answer, padded_size
from export.engines.profile_openvino import profiler
from export.precisions import existing_file
from export.threads import allowed_threads
from resnet_core.errors import ModelError

# What a quantised file leaves in fp32 stays there.
HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
DEVICE = "CPU"
MOST_BATCH_SIZES = 6
MOST_FILLED_UP = 32
"""Images up to which batches are filled up to a power of two: as many sizes as are kept."""


class _OnOpenVino:
    """Compiled anew for each batch size, the last few kept; small batches are filled up.

    Compiling takes as long as a hundred images: a server that takes at once whatever waits would
    do little else.

    Fixed shapes are faster, and with a free batch OpenVINO 2026.4.1 answers wrongly in int8: it
    takes the normalisation of the pixels for a part of the quantisation.
    """

    def __init__(self, data: bytes, options: dict[str, Any], name: str):
        import openvino

        self.name = name
        self._core = openvino.Core()
        # Bytes, not a path: a file read from memory can't pull in other files as its weights.
        self._model = self._core.read_model(data)
        self._options = options
        self._by_batch: OrderedDict[int, Any] = OrderedDict()
        # A compiled model answers one call at a time, and the app's callers are threads.
        self._lock = Lock()

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        batch = _filled_up(images)
        with self._lock:
            try:
                answer = self.compiled_for(batch.shape)({"image": batch})["probabilities"]
            except RuntimeError as error:  # it compiles for each batch size, which needs memory
                raise cannot_answer(self.name, error) from None
            # Copied: the request's own memory is overwritten by its next answer.
            return np.array(answer[: len(images)], dtype=np.float32)

    def compiled_for(self, shape: tuple[int, ...]) -> Any:
        """The model compiled for a batch of this shape, (N, size, size, 3)."""
        if shape[0] not in self._by_batch:
            fixed = self._model.clone()
            fixed.reshape(list(shape))
            compiled = self._core.compile_model(fixed, DEVICE, self._options)
            self._by_batch[shape[0]] = compiled
            if len(self._by_batch) > MOST_BATCH_SIZES:
                self._by_batch.popitem(last=False)
        self._by_batch.move_to_end(shape[0])
        return self._by_batch[shape[0]]


def _filled_up(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """With black ones behind, whose answers nobody reads."""
    more = padded_size(len(images)) - len(images)
    if not more or len(images) > MOST_FILLED_UP:
        return images
    return np.concatenate([images, np.zeros((more, *images.shape[1:]), np.uint8)])


def _open(file: Path, precision: str, threads: int, counts_time: bool = False) -> OpenModel:
    import openvino

    file = existing_file(file, precision)
    options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": HINTS[precision]}
    options["PERF_COUNT"] = counts_time
    if limit := threads or allowed_threads():  # where there is none, OpenVINO knows best
        options["INFERENCE_NUM_THREADS"] = limit
    version = openvino.get_version().split("-")[0]
    try:
        return _OnOpenVino(file.read_bytes(), options, f"OpenVINO {version}, {DEVICE}, {precision}")
    except RuntimeError as error:
        raise ModelError(f"OpenVINO can't open {file} ({error}).") from None


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
        profile=profiler(partial(_open, counts_time=True)),
    ),
)  # fmt: skip
