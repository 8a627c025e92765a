"""PyTorch, eager and compiled, on the weights that an ONNX file was exported from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from export.engines.interface import Engine, Obstacle, OpenModel, cannot_answer, on_gpu
from export.engines.profile_pytorch import profiler

if TYPE_CHECKING:
    import torch

    from resnet_core.training.hardware import Hardware


@dataclass(frozen=True)
class _OnPyTorch:
    answer: Callable[[torch.Tensor], torch.Tensor]
    device: torch.device
    name: str
    model: torch.nn.Module

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        import torch

        # Owned and writable memory, which torch asks for; the copy is part of the engine's work.
        try:
            pixels = torch.from_numpy(np.array(images)).to(self.device)
            with torch.inference_mode():
                return np.asarray(self.answer(pixels).float().softmax(1).cpu().numpy())
        except RuntimeError as error:
            raise cannot_answer(self.name, error) from None


@dataclass(frozen=True)
class _OnGpu(_OnPyTorch):
    def hold(self, images: NDArray[np.uint8]) -> Callable[[], None]:
        import torch

        pixels = torch.from_numpy(np.array(images)).to(self.device)

        def answer() -> None:
            with torch.inference_mode():
                self.answer(pixels).float().softmax(1)
            torch.cuda.synchronize(self.device)

        return answer


def _open(is_compiled: bool, file: Path, precision: str, threads: int) -> OpenModel:
    import torch

    from resnet_core.models.saved import load_model
    from resnet_core.training.find import find_weights_beside
    from resnet_core.training.hardware import Hardware

    if threads:
        torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = load_model(find_weights_beside(file)).model.eval()
    model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    answer = _answering(model, Hardware(device, precision, is_compiled))
    how = "compiled" if is_compiled else "eager"
    format_ = on_gpu(precision) if device.type == "cuda" else precision
    name = f"PyTorch {torch.__version__.split('+')[0]}, {device.type.upper()}, {how}, {format_}"
    kind = _OnGpu if device.type == "cuda" else _OnPyTorch
    return kind(answer, device, name, model)


def _answering(
    model: torch.nn.Module, hardware: Hardware
) -> Callable[[torch.Tensor], torch.Tensor]:
    """uint8 pixels (N, size, size, 3) → logits (N, classes), compiled as a whole where that is said.

    `Hardware.wrap` is for training, which on a GPU compiles block by block instead.
    """
    import torch

    def answer(pixels: torch.Tensor) -> torch.Tensor:
        with hardware.autocast():
            logits: torch.Tensor = model(pixels)
        return logits

    return torch.compile(answer) if hardware.compiled else answer


def _obstacle(is_compiled: bool, precision: str) -> Obstacle | None:
    if find_spec("torch") is None:
        return Obstacle("PyTorch is not installed", "pip install torch torchvision")
    if is_compiled and not (shutil.which("g++") or shutil.which("clang++")):
        return Obstacle("compiling needs a C++ compiler, such as g++")
    if precision == "fp32":
        return None
    import torch

    from resnet_core.training.hardware import has_native_bf16

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if has_native_bf16(device):
        return None
    return Obstacle(f"this chip does not multiply {precision} natively")


ENGINES = tuple(
    Engine(
        key, title, ("fp32", "bf16"), needs, partial(_obstacle, is_compiled),
        partial(_open, is_compiled), runs_the_file=False,
        profile=None if is_compiled else profiler(partial(_open, is_compiled)),
    )
    for key, title, needs, is_compiled in (
        ("pytorch-eager", "PyTorch, eager", "any CPU or GPU; torch, and the weights beside the ONNX file", False),
        ("pytorch-compiled", "PyTorch, compiled", "the same, and a C++ compiler", True),
    )
)  # fmt: skip
