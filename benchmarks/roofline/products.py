"""What is multiplied to find a chip's peak: matrices of some sizes, and a wide convolution.

The libraries behind them differ, and with them how near they come to what the chip can do: on one
AVX-512 chip matrix products of fp32 stayed a seventh below the convolution that nets are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.roofline.counting import FLOPS_PER_MULTIPLY_ADD

DTYPES = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "int8": torch.int8,
}
CHANNELS, SIDE = 256, 16  # of the convolution: as wide as caches hold, and wider than CIFAR nets


@dataclass(frozen=True)
class Product:
    """Something to time."""

    name: str
    """In words, with its size."""
    size: int
    """Rows of the matrices, or images convolved."""
    flops: int
    run: Callable[[], object]


def products(
    sizes: tuple[int, ...], images: int, precision: str, device: torch.device
) -> Iterator[Product]:
    """All that is tried at a precision, made when it is asked for.

    Args:
        sizes: of the square matrices.
        images: of a convolution; integers are not convolved.
    """
    for size in sizes:
        left, right = (_matrix(size, precision, device) for _ in range(2))
        flops, name = FLOPS_PER_MULTIPLY_ADD * size**3, f"matrices of {size:,} × {size:,}"
        if precision == "int8":
            # Some chips want the second one column by column.
            columns = right.t().contiguous().t()
            yield Product(name, size, flops, partial(torch._int_mm, left, right))
            yield Product(name, size, flops, partial(torch._int_mm, left, columns))
        else:
            yield Product(name, size, flops, partial(torch.mm, left, right))
    if precision != "int8":
        yield _convolution(images, precision, device)


def _convolution(images: int, precision: str, device: torch.device) -> Product:
    shapes = (images, CHANNELS, SIDE, SIDE), (CHANNELS, CHANNELS, 3, 3)
    pixels, kernels = (
        torch.randn(shape, device=device)
        .to(DTYPES[precision])
        .contiguous(memory_format=torch.channels_last)
        for shape in shapes
    )
    flops = FLOPS_PER_MULTIPLY_ADD * images * SIDE**2 * CHANNELS**2 * 9
    name = f"3 × 3 convolutions of {CHANNELS} channels"
    return Product(name, images, flops, partial(F.conv2d, pixels, kernels, padding=1))


def _matrix(size: int, precision: str, device: torch.device) -> Tensor:
    """Numbers that neither overflow nor become tiny, which some chips multiply slowly."""
    values = torch.randn(size, size, device=device)
    return (values.mul(32).clamp(-127, 127) if precision == "int8" else values).to(
        DTYPES[precision]
    )
