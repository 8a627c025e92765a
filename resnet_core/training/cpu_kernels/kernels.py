"""The C++ of this folder, built for the machine that runs it, and what all its functions take.

It needs the C++ compiler that `torch.compile` needs as well.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

SOURCES = [
    str(Path(__file__).with_name(f"{name}.cpp"))
    for name in ("convolve", "strided", "chain", "stem")
]
COMPILER_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC")
FLAGS: dict[str, tuple[str, ...]] = {
    "tiles": ("-DWITH_TILES", "-mamx-tile", "-mamx-bf16"),
    "emulated tiles": ("-DWITH_TILES", "-DEMULATE_TILES"),
    "vectors": (),
}
VECTOR, TILE_DEPTH, PIXELS_AT_ONCE = 16, 32, 8
MOST_CHANNELS = 128
"""Wider layers fill a library's tiles as they are, and are not measured in vectors."""


def fits_kernels(layer: nn.Conv2d) -> bool:
    """Whether a convolution is one that the code can do with stride 1."""
    return (
        is_plain_3x3(layer, stride=1)
        and layer.in_channels == layer.out_channels <= MOST_CHANNELS
        and (layer.in_channels == VECTOR or layer.in_channels % TILE_DEPTH == 0)
    )


def is_plain_3x3(layer: nn.Conv2d, stride: int) -> bool:
    """Whether a convolution has kernels of 3 × 3, padding 1, no bias and nothing special."""
    is_plain = layer.bias is None and layer.groups == 1 and layer.padding_mode == "zeros"
    shape = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    return is_plain and shape == ((3, 3), (stride, stride), (1, 1), (1, 1))


def has_compiler() -> bool:
    return find_compiler() is not None


def find_compiler() -> str | None:
    return shutil.which("g++") or shutil.which("clang++")


def unit() -> str | None:
    """What this chip multiplies bf16 with: tiles (AMX), vectors (AVX512-BF16), or nothing of its own.

    Under Linux, whose compilers these kernels are built with.
    """
    if sys.platform != "linux":
        return None
    has = torch.cpu.get_capabilities()
    return "tiles" if has.get("amx_bf16") else "vectors" if has.get("avx512_bf16") else None


@cache
def kernels() -> ctypes.CDLL:
    """The code for this chip, its tiles asked for.

    Raises:
        OSError: there is no compiler, the result can't be loaded, or the system keeps the tiles.
        CalledProcessError: the compiler can't do it.
    """
    found = build(FLAGS["tiles" if unit() == "tiles" else "vectors"])
    if found.ask_for_unit():
        raise OSError("the system keeps the chip's tiles to itself")
    return found


def build(flags: tuple[str, ...]) -> ctypes.CDLL:
    """Compile and load the code; takes two to six seconds.

    Raises:
        OSError: there is no compiler, or the result can't be loaded.
        CalledProcessError: the compiler can't do it.
    """
    compiler = find_compiler() or "g++"
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as folder:
        library = Path(folder) / "kernels.so"
        command = [compiler, *COMPILER_FLAGS, *flags, "-o", str(library), *SOURCES]
        subprocess.run(command, check=True, capture_output=True)
        return load(library)


def load(library: Path) -> ctypes.CDLL:
    """The compiled code, and what each function takes."""
    found = ctypes.CDLL(str(library))
    address, size = ctypes.c_void_p, ctypes.c_int
    strides, sizes = ctypes.POINTER(ctypes.c_long), ctypes.POINTER(size)
    found.packed_size.argtypes, found.packed_size.restype = [size], ctypes.c_long
    found.pack.argtypes = [address, size, strides, size, size, address]
    found.convolve.argtypes = [*[address] * 3, sizes, size]
    found.differentiate.argtypes = [*[address] * 5, strides, sizes, size]
    found.pack_halving.argtypes = [address, strides, *[size] * 3, address]
    found.halve.argtypes = [*[address] * 5, size]
    found.differentiate_halving.argtypes = [*[address] * 6, strides, address, size]
    fused = (found.chain_forward, found.chain_backward, found.stem_forward, found.stem_backward)
    for function in fused:
        function.argtypes = [address]
    single = (found.pack, found.convolve, found.differentiate)
    halving = (found.pack_halving, found.halve, found.differentiate_halving)
    for function in (*single, *halving, *fused):
        function.restype = None
    return found


def pack(weights: Tensor, turned: bool = False) -> Tensor:
    """Kernels (layers, C, C, 3, 3) fp32, of any strides, in bf16, as the code multiplies by them.

    Args:
        turned: as the gradient needs them: seen from the input, outputs are inputs, and taps turn
            round.
    """
    assert weights.dtype == torch.float32
    layers, channels = weights.shape[:2]
    address, strides = weights.data_ptr(), weights.stride()
    if turned:
        by_layer, by_out, by_in, by_row, by_column = strides
        address += weights.element_size() * 2 * (by_row + by_column)
        strides = (by_layer, by_in, by_out, -by_row, -by_column)
    packed = torch.empty(layers, kernels().packed_size(channels), dtype=torch.bfloat16)
    threads = torch.get_num_threads()
    kernels().pack(address, layers, longs(strides), channels, threads, packed.data_ptr())
    return packed


def longs(numbers: Sequence[int]) -> ctypes.Array[ctypes.c_long]:
    return (ctypes.c_long * len(numbers))(*numbers)


def by_name(names: str, tensors: Sequence[Tensor | None]) -> dict[str, Tensor]:
    """Those that there are, by the names they have in this order."""
    named = zip(names.split(), tensors, strict=False)
    return {name: tensor for name, tensor in named if tensor is not None}


def addresses(tensors: dict[str, Tensor]) -> dict[str, int]:
    return {name: tensor.data_ptr() for name, tensor in tensors.items()}


def sizes(x: Tensor) -> ctypes.Array[ctypes.c_int]:
    """Images, height, width and channels of (N, C, H, W)."""
    images, channels, height, width = x.shape
    return (ctypes.c_int * 4)(images, height, width, channels)


def empty_like(x: Tensor) -> Tensor:
    """bf16, channels last."""
    return torch.empty(x.shape, dtype=torch.bfloat16, memory_format=torch.channels_last)


def laid_out(x: Tensor) -> Tensor:
    """bf16, channels last; what is empty, as it is."""
    if not x.numel():
        return x
    return x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
