"""Multiply-adds and bytes of one image's way through a net, layer by layer, counted on the net itself.

A layer is what an engine runs as one: batch norm, ReLU and additions ride on the convolution
before them, so only the second operand of an addition is read from memory again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from resnet_core.models.config import ModelConfig
from resnet_core.models.network import build_network

ELEMENT_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}
PIXEL_BYTES = 1
PROBABILITY_BYTES = 4
FLOPS_PER_MULTIPLY_ADD = 2
INPUT_CHANNELS = 3


@dataclass(frozen=True)
class Layer:
    """What one layer computes and moves for one image. Values are elements, not bytes."""

    name: str
    kind: str
    multiply_adds: int
    weights: int
    """Learned values it holds; batch norm's as a scale and a shift a channel."""
    values_read: int
    values_written: int


@dataclass(frozen=True)
class Traffic:
    """Bytes moved for one image; weights are read once a batch."""

    weights: float
    activations: int
    """Read and written, when every layer's tensors go to memory."""
    ends: int
    """uint8 pixels in and float32 probabilities out."""

    @property
    def layered(self) -> float:
        """When every layer's tensors go to memory. Caches that hold them can beat it."""
        return self.weights + self.activations + self.ends

    @property
    def ideal(self) -> float:
        """When nothing but weights, input and output does. Nothing can beat it."""
        return self.weights + self.ends


@dataclass(frozen=True)
class Counted:
    """A net, counted."""

    input_size: int
    classes: int
    layers: tuple[Layer, ...]

    @property
    def multiply_adds(self) -> int:
        """Of convolutions and the classifier, as the papers count."""
        return sum(layer.multiply_adds for layer in self.layers)

    @property
    def flops(self) -> int:
        return FLOPS_PER_MULTIPLY_ADD * self.multiply_adds

    def traffic(self, precision: str, batch_size: int = 1) -> Traffic:
        """Bytes of one image.

        Args:
            precision: fp32, bf16, fp16 or int8: what weights and activations are stored in.
            batch_size: images that share one reading of the weights.
        """
        size = ELEMENT_BYTES[precision]
        weights = sum(layer.weights for layer in self.layers)
        moved = sum(layer.values_read + layer.values_written for layer in self.layers)
        pixels = INPUT_CHANNELS * self.input_size**2 * PIXEL_BYTES
        ends = pixels + self.classes * PROBABILITY_BYTES
        return Traffic(weights * size / batch_size, moved * size, ends)

    def to_dict(self) -> dict[str, Any]:
        """Totals an image at every precision, at batch 1, and the layers."""
        return {
            "input_size": self.input_size,
            "classes": self.classes,
            "multiply_adds": self.multiply_adds,
            "precisions": {name: self._totals(name) for name in ELEMENT_BYTES},
            "layers": [asdict(layer) for layer in self.layers],
        }

    def _totals(self, precision: str) -> dict[str, float]:
        traffic = self.traffic(precision)
        return {
            "weight_bytes": traffic.weights,
            "activation_bytes": traffic.activations,
            "input_and_output_bytes": traffic.ends,
            "flops_per_byte": self.flops / traffic.layered,
            "ideal_flops_per_byte": self.flops / traffic.ideal,
        }


def count_network(config: ModelConfig) -> Counted:
    """Count a net at its input size, without allocating its weights."""
    with torch.device("meta"):
        network = build_network(config).eval()
    size = config.input_size
    image = torch.empty(1, INPUT_CHANNELS, size, size, device="meta")
    counter = _Counter()
    hooks = [
        hook for name, module in network.named_modules() for hook in counter.watch(name, module)
    ]
    with torch.no_grad(), counter:
        network(image)
    for hook in hooks:
        hook.remove()
    # Pixels become numbers first; reading them is counted at the net's ends.
    normalisation = Layer("input", "normalisation", 0, 0, 0, image.numel())
    return Counted(size, config.classes, (normalisation, *counter.layers))


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes every operation that has weights or moves tensors, under the module that asked for it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[Layer] = []
        self._inside: list[str] = [""]

    def watch(self, name: str, module: nn.Module) -> tuple[Any, Any]:
        enter = module.register_forward_pre_hook(lambda *_: self._inside.append(name))
        leave = module.register_forward_hook(lambda *_: self._leave())
        return enter, leave

    def _leave(self) -> None:
        self._inside.pop()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = function(*args, **(kwargs or {}))
        rule = _RULES.get(function.overloadpacket.__name__)
        if rule is not None:
            tensors = [value for value in args if isinstance(value, Tensor)]
            self.layers.append(Layer(self._inside[-1], *rule(tensors, output)))
        return output


Facts = tuple[str, int, int, int, int]
"""Kind, multiply-adds, weights, values read, values written."""


def _convolution(tensors: list[Tensor], output: Tensor) -> Facts:
    image, kernel, *bias = tensors
    weights = kernel.numel() + sum(part.numel() for part in bias)
    work = output.numel() * kernel[0].numel()
    return "convolution", work, weights, image.numel(), output.numel()


def _linear(tensors: list[Tensor], output: Tensor) -> Facts:
    bias, values, matrix = tensors
    work = output.numel() * matrix.shape[0]
    return "linear", work, matrix.numel() + bias.numel(), values.numel(), output.numel()


def _norm(tensors: list[Tensor], output: Any) -> Facts:
    _, scale, shift, *_ = tensors
    return "batch norm", 0, scale.numel() + shift.numel(), 0, 0


def _moved(kind: str) -> Callable[[list[Tensor], Tensor], Facts]:
    """An operation that an engine runs by itself: reads its input, writes its output."""
    return lambda tensors, output: (kind, 0, 0, tensors[0].numel(), output.numel())


def _max_pooling(tensors: list[Tensor], output: tuple[Tensor, Tensor]) -> Facts:
    values, _places = output
    return "pooling", 0, 0, tensors[0].numel(), values.numel()


def _joined(kind: str) -> Callable[[list[Tensor], Tensor], Facts]:
    """Rides on the layer that made its first operand; the others are read from memory."""
    return lambda tensors, _: (kind, 0, 0, sum(t.numel() for t in tensors[1:]), 0)


_RULES: dict[str, Callable[[list[Tensor], Any], Facts]] = {
    "convolution": _convolution,
    "addmm": _linear,
    "native_batch_norm": _norm,
    "constant_pad_nd": _moved("padding"),
    "mean": _moved("pooling"),
    "max_pool2d_with_indices": _max_pooling,
    "add": _joined("addition"),
    "lerp": _joined("gating"),
}
