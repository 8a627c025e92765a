"""PyTorch on an NVIDIA GPU without its launches: each batch size is recorded once and replayed.

A small net is some dozens of kernels of a few microseconds, which Python can't launch as fast as
the GPU finishes them. Batch norms are folded into the convolutions, weights and layers are in the
precision asked for, and pixels and answers travel through pinned memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from export.engines.interface import Engine, Obstacle, OpenModel, cannot_answer, on_gpu, padded_size

if TYPE_CHECKING:
    import torch

    from resnet_core.models.network import PixelModel

LARGEST_BATCH = 1024
WARM_RUNS = 3
DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


@dataclass(frozen=True)
class _Recorded:
    """A graph of one batch size, and the memory that it reads and writes."""

    graph: torch.cuda.CUDAGraph
    pixels: torch.Tensor
    answers: torch.Tensor
    host_pixels: torch.Tensor
    host_answers: torch.Tensor

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        self.put(images)
        self.graph.replay()
        self.host_answers.copy_(self.answers, non_blocking=True)
        torch.cuda.current_stream().synchronize()
        return np.array(self.host_answers.numpy()[: len(images)])

    def put(self, images: NDArray[np.uint8]) -> None:
        self.host_pixels.numpy()[: len(images)] = images
        self.pixels.copy_(self.host_pixels, non_blocking=True)

    def answer(self) -> None:
        import torch

        self.graph.replay()
        torch.cuda.current_stream().synchronize()


class _OnCudaGraphs:
    def __init__(self, model: PixelModel, precision: str, name: str):
        self._model, self._precision, self.name = model, precision, name
        self._recorded: dict[int, _Recorded] = {}
        # Callers are threads, and each recording has one place for pixels and answers.
        self._lock = Lock()

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        parts = _parts(images)
        with self._lock:
            try:
                answers = [self._find(padded_size(len(part))).run(part) for part in parts]
            except RuntimeError as error:  # such as a training that has taken the GPU's memory
                raise cannot_answer(self.name, error) from None
        return np.concatenate(answers)

    def hold(self, images: NDArray[np.uint8]) -> Callable[[], None]:
        """As `HoldsImages` says; parts beyond the first take turns in one place."""
        parts = _parts(images)
        graphs = [self._find(padded_size(len(part))) for part in parts]
        for graph, part in zip(graphs, parts, strict=True):
            graph.put(part)

        def answer() -> None:
            for graph in graphs:
                graph.answer()

        return answer

    def _find(self, size: int) -> _Recorded:
        if size not in self._recorded:
            self._recorded[size] = self._record(size)
        return self._recorded[size]

    def _record(self, size: int) -> _Recorded:
        import torch

        side = self._model.config.input_size
        host_pixels = torch.zeros(size, side, side, 3, dtype=torch.uint8, pin_memory=True)
        pixels = host_pixels.cuda()
        graph = torch.cuda.CUDAGraph()
        flags = torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=True)
        with torch.inference_mode(), flags, torch.cuda.stream(torch.cuda.Stream()):  # type: ignore[no-untyped-call]
            for _ in range(WARM_RUNS):
                self._answer(pixels)
            torch.cuda.current_stream().synchronize()
            with torch.cuda.graph(graph):
                answers = self._answer(pixels)
        host_answers = torch.empty(answers.shape, dtype=answers.dtype, pin_memory=True)
        return _Recorded(graph, pixels, answers, host_pixels, host_answers)

    def _answer(self, pixels: torch.Tensor) -> torch.Tensor:
        import torch

        inputs = self._model.normalise(pixels).to(getattr(torch, DTYPES[self._precision]))
        probabilities: torch.Tensor = self._model.network(inputs).float().softmax(1)
        return probabilities


def _parts(images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    return [images[at : at + LARGEST_BATCH] for at in range(0, len(images), LARGEST_BATCH)]


def _open(file: Path, precision: str, threads: int) -> OpenModel:
    import torch

    from export.engines.folded import fold_batch_norms
    from resnet_core.models.saved import load_model
    from resnet_core.training.find import find_weights_beside

    if threads:
        torch.set_num_threads(threads)
    model = load_model(find_weights_beside(file)).model.eval()
    fold_batch_norms(model.network)
    dtype = getattr(torch, DTYPES[precision])
    model.network.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
    library = torch.__version__.split("+")[0]
    name = f"PyTorch {library}, CUDA, graphs, batch norms folded, {on_gpu(precision)}"
    return _OnCudaGraphs(model.to(torch.device("cuda")), precision, name)


def _obstacle(precision: str) -> Obstacle | None:
    if find_spec("torch") is None:
        return Obstacle("PyTorch is not installed", "pip install torch torchvision")
    import torch

    from resnet_core.training.hardware import has_native_bf16

    if not torch.cuda.is_available():
        return Obstacle("there is no NVIDIA GPU that PyTorch can use")
    if precision == "bf16" and not has_native_bf16(torch.device("cuda")):
        return Obstacle(f"this chip does not multiply {precision} natively")
    return None


ENGINES = (
    Engine(
        "pytorch-cuda-graphs", "PyTorch, CUDA graphs", tuple(DTYPES),
        "an NVIDIA GPU; torch, and the weights beside the ONNX file",
        _obstacle, _open, runs_the_file=False,
    ),
)  # fmt: skip
