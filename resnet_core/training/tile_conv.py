"""3 × 3 convolutions of a training step on a CPU that multiplies tiles of bf16 (Intel AMX).

A tile is 32 numbers deep, and layers of CIFAR nets have 16 to 64 channels. `tile_conv.cpp` fills
tiles with neighbouring pixels, reads them where they lie, and finds both gradients of a layer while
its pictures are in the cache. It is built for the machine that runs it, with the C++ compiler that
`torch.compile` needs as well.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

SOURCE = Path(__file__).with_suffix(".cpp")
COMPILER_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
FOR_TILES, EMULATED = ("-mamx-tile", "-mamx-bf16"), ("-DEMULATE_TILES",)
TILE_ROWS, TILE_DEPTH, PIXELS_AT_ONCE = 16, 32, 8
MOST_CHANNELS = 128
"""Wider layers fill tiles as they are."""


def use_tiles(network: nn.Module) -> None:
    """Let a net's 3 × 3 convolutions train on tiles, where the chip has them and their code builds.

    Parameters, names and evaluation stay as they are.
    """
    if not torch.cpu.get_capabilities().get("amx_bf16"):
        return
    try:
        _kernels()
    except (OSError, subprocess.CalledProcessError) as error:
        warnings.warn(f"Training goes on without its own convolutions ({error}).", stacklevel=2)
        return
    replace_convolutions(network)


def replace_convolutions(network: nn.Module) -> None:
    """Turn the convolutions that `TileConv2d` can do into such ones."""
    for module in network.modules():
        if type(module) is nn.Conv2d and _fills_tiles(module):
            module.__class__ = TileConv2d


def _fills_tiles(layer: nn.Conv2d) -> bool:
    is_plain = layer.bias is None and layer.groups == 1 and layer.padding_mode == "zeros"
    shape = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    return (
        is_plain
        and shape == ((3, 3), (1, 1), (1, 1), (1, 1))
        and layer.in_channels == layer.out_channels <= MOST_CHANNELS
        and (layer.in_channels == TILE_ROWS or layer.in_channels % TILE_DEPTH == 0)
    )


class TileConv2d(nn.Conv2d):
    """A convolution whose training step runs on tiles, in bf16 with fp32 sums, whatever is put in."""

    def forward(self, x: Tensor) -> Tensor:
        is_step = self.training and torch.is_grad_enabled()
        if not is_step or x.shape[3] % PIXELS_AT_ONCE:
            return super().forward(x)
        return cast(Tensor, convolve(x.to(torch.bfloat16), self.weight))


@torch.library.custom_op("resnet_lab::convolve", mutates_args=())
def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """(N, C, H, W) bf16 by (C, C, 3, 3) fp32 → (N, C, H, W) bf16, channels last."""
    x, y = _laid_out(x), _like(x)
    packed = _pack(weight, weight.data_ptr(), weight.stride())
    _kernels().convolve(x.data_ptr(), packed.data_ptr(), y.data_ptr(), *_work(x))
    return y


@convolve.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    return _like(x)


@torch.library.custom_op("resnet_lab::differentiate", mutates_args=())
def differentiate(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients by the input, bf16, and by the weights, fp32 and laid out as they are."""
    gradient, x = _laid_out(gradient), _laid_out(x)
    to_x, to_weight = _like(x), torch.empty_like(weight)
    by_out, by_in, by_y, by_x = weight.stride()
    # Seen from the input, outputs are inputs, and taps turn round.
    last = weight.data_ptr() + weight.element_size() * 2 * (by_y + by_x)
    turned = _pack(weight, last, (by_in, by_out, -by_y, -by_x))
    _kernels().differentiate(
        x.data_ptr(), gradient.data_ptr(), turned.data_ptr(), to_x.data_ptr(), to_weight.data_ptr(),
        *to_weight.stride(), *_work(x),
    )  # fmt: skip
    return to_x, to_weight


@differentiate.register_fake
def _(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return _like(x), torch.empty_like(weight)


def _keep(ctx, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:  # type: ignore[no-untyped-def]
    ctx.save_for_backward(*inputs)


def _backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[no-untyped-def]
    return cast(tuple[Tensor, Tensor], differentiate(gradient, *ctx.saved_tensors))


convolve.register_autograd(_backward, setup_context=_keep)


def _like(x: Tensor) -> Tensor:
    return torch.empty(x.shape, dtype=torch.bfloat16, memory_format=torch.channels_last)


def _pack(weight: Tensor, address: int, strides: tuple[int, ...]) -> Tensor:
    """As tiles of bf16, from where the first tap lies on."""
    channels = weight.shape[0]
    packed = torch.empty(_kernels().packed_size(channels), dtype=torch.bfloat16)
    _kernels().pack(address, *strides, channels, packed.data_ptr())
    return packed


def _laid_out(x: Tensor) -> Tensor:
    return x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def _work(x: Tensor) -> tuple[int, ...]:
    """Images, height, width, channels and threads."""
    images, channels, height, width = x.shape
    return images, height, width, channels, torch.get_num_threads()


@cache
def _kernels() -> ctypes.CDLL:
    """The code for this chip, its tiles asked for."""
    kernels = build(FOR_TILES)
    if kernels.ask_for_tiles():
        raise OSError("the system keeps the chip's tiles to itself")
    return kernels


def build(flags: tuple[str, ...]) -> ctypes.CDLL:
    """Compile and load the kernels; takes about two seconds.

    Raises:
        OSError: there is no compiler, or the result can't be loaded.
        CalledProcessError: the compiler can't do it.
    """
    compiler = shutil.which("g++") or shutil.which("clang++") or "g++"
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as folder:
        library = Path(folder) / "tile_conv.so"
        command = [compiler, *COMPILER_FLAGS, *flags, "-o", str(library), str(SOURCE)]
        subprocess.run(command, check=True, capture_output=True)
        kernels = ctypes.CDLL(str(library))
    address, number, size = ctypes.c_void_p, ctypes.c_long, ctypes.c_int
    kernels.packed_size.argtypes, kernels.packed_size.restype = [size], number
    kernels.pack.argtypes = [address, *[number] * 4, size, address]
    kernels.convolve.argtypes = [*[address] * 3, *[size] * 5]
    kernels.differentiate.argtypes = [*[address] * 5, *[number] * 4, *[size] * 5]
    for kernel in (kernels.pack, kernels.convolve, kernels.differentiate):
        kernel.restype = None
    return kernels
