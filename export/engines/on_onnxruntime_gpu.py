"""ONNX Runtime on an NVIDIA GPU: with CUDA, with CUDA graphs, and with TensorRT.

Pixels and answers lie in memory of the GPU that stays bound to the session. The GPU provider must
be the one that the session really has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import Lock

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.bound import Bound
from export.engines.interface import Engine, Obstacle, OpenModel, cannot_answer, padded_size
from export.precisions import existing_file
from export.session import PROVIDERS, OnnxSession, has_nvidia_gpu
from export.tensorrt_libraries import INSTALL, load_tensorrt

WITH_CUDA = 'pip install "onnxruntime-gpu[cuda,cudnn]"'
LARGEST_BATCH = 1024
"""Images in one call of the session; more go through in parts."""
USUAL_BATCH = 128
"""What TensorRT chooses its kernels for."""


@dataclass
class OnGpu:
    """A session that computes on images where they lie.

    Args:
        records: each batch size is recorded as a CUDA graph and replayed.
        pads: batches are filled up to powers of two, as each new size costs a recording or a build.
        device: where its memory is, `cuda` or, for tests, `cpu`.
    """

    session: OnnxSession
    records: bool = False
    pads: bool = False
    device: str = "cuda"
    _bound: dict[int, Bound] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    """Callers are threads, and what is bound is one for all of them."""

    @property
    def name(self) -> str:
        how = "graphs" if self.records else "IO binding"
        return f"{self.session.name}, {how}"

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        with self._lock:
            try:
                return np.concatenate([self._run(part) for part in _parts(images)])
            except Exception as error:  # ONNX Runtime's exceptions share no public base class
                raise cannot_answer(self.name, error) from None

    def hold(self, images: NDArray[np.uint8]) -> Callable[[], None]:
        """As `HoldsImages` says; parts beyond the first take turns in one place."""
        bounds = [self._find(len(part)) for part in _parts(images)]
        for bound, part in zip(bounds, _parts(images), strict=True):
            bound.put(part)

        def answer() -> None:
            for bound in bounds:
                bound.answer()

        return answer

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        bound = self._find(len(images))
        bound.put(images)
        bound.answer()
        return bound.take(len(images))

    def _find(self, images: int) -> Bound:
        size = padded_size(images) if self.pads else images
        if size not in self._bound:
            if not self.pads:  # sizes come and go: the GPU's memory holds the last one
                self._bound.clear()
            graph = len(self._bound) + 1 if self.records else None
            self._bound[size] = self.session.bind(size, self.device, graph)
        return self._bound[size]


def _parts(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [images[at : at + LARGEST_BATCH] for at in range(0, len(images), LARGEST_BATCH)]


def cuda_options(records: bool) -> dict[str, str]:
    """What ONNX Runtime's CUDA provider is told."""
    return {"enable_cuda_graph": "1"} if records else {}


def tensorrt_options(precision: str, size: int) -> dict[str, str]:
    """What its TensorRT provider is told: the number format, and the batch sizes that come.

    Args:
        size: side of the input in pixels.
    """
    shapes = {"min": 1, "opt": USUAL_BATCH, "max": LARGEST_BATCH}
    profile = {
        f"trt_profile_{which}_shapes": f"image:{images}x{size}x{size}x3"
        for which, images in shapes.items()
    }
    formats = {"fp16": {"trt_fp16_enable": "1"}, "int8": {"trt_int8_enable": "1"}}
    return profile | formats.get(precision, {})


def _open_cuda(records: bool, file: Path, precision: str, threads: int) -> OpenModel:
    path = existing_file(file, precision)
    return OnGpu(
        OnnxSession(path, "cuda", threads, options=cuda_options(records)), records, records
    )


def _open_tensorrt(file: Path, precision: str, threads: int) -> OpenModel:
    path = existing_file(file, precision)
    options = tensorrt_options(precision, OnnxSession(path, "cpu").facts.input_size)
    rewrite = _in_symmetric if precision == "int8" else None
    return OnGpu(
        OnnxSession(path, "tensorrt", threads, options=options, rewrite=rewrite), pads=True
    )


def _in_symmetric(file: bytes) -> bytes:
    import onnx

    from export.symmetric import make_symmetric

    model = onnx.load_from_string(file)
    make_symmetric(model)
    return model.SerializeToString()


def _obstacle(provider: str, precision: str) -> Obstacle | None:
    if not has_nvidia_gpu():
        return Obstacle("there is no NVIDIA GPU")
    if PROVIDERS[provider] not in ort.get_available_providers():
        return Obstacle(f"this ONNX Runtime was built without {PROVIDERS[provider]}", WITH_CUDA)
    if provider == "tensorrt" and not load_tensorrt():
        return Obstacle("TensorRT's libraries, of version 10, are not here", INSTALL)
    return None


PRECISIONS = ("fp32", "fp16", "int8")
RECORDED = ("fp32", "fp16")  # of int8, some operations stay on the CPU, which no graph holds
WITH_LIBRARIES = "an NVIDIA GPU; onnxruntime-gpu with its CUDA libraries"
ENGINES = (
    Engine(
        "onnxruntime-cuda", "ONNX Runtime, CUDA", PRECISIONS, WITH_LIBRARIES,
        partial(_obstacle, "cuda"), partial(_open_cuda, False),
    ),
    Engine(
        "onnxruntime-cuda-graphs", "ONNX Runtime, CUDA graphs", RECORDED, WITH_LIBRARIES,
        partial(_obstacle, "cuda"), partial(_open_cuda, True),
    ),
    Engine(
        "onnxruntime-tensorrt", "ONNX Runtime, TensorRT", PRECISIONS,
        "an NVIDIA GPU; onnxruntime-gpu and TensorRT 10",
        partial(_obstacle, "tensorrt"), _open_tensorrt, opens_alone=True,
    ),
)  # fmt: skip
