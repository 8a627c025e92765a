"""A single 3 × 3 convolution with stride 2, and both its gradients in one pass over its pictures."""

from __future__ import annotations

import ctypes
from typing import Any, cast

import torch
from torch import Tensor, nn

from resnet_core.models.blocks import ZeroPadShortcut
from resnet_core.training.cpu_kernels.kernels import (
    VECTOR,
    empty_like,
    is_plain_3x3,
    kernels,
    laid_out,
    longs,
)

PIXELS_AT_ONCE = 16
NO_SHORTCUT = -1


class HalvingConv2d(nn.Conv2d):
    """A convolution whose training step runs by kernels, in bf16 with fp32 sums, whatever is put in."""

    def forward(self, x: Tensor) -> Tensor:
        return self._step(x)[0] if self._is_step(x) else super().forward(x)

    def with_shortcut(self, x: Tensor, shortcut: nn.Module) -> tuple[Tensor, Tensor]:
        """What this makes of x, and what the shortcut beside it does: in one pass, if it is option A."""
        if isinstance(shortcut, ZeroPadShortcut) and self._is_step(x):
            return self._step(x, shortcut.before)
        return self(x), shortcut(x)

    def _is_step(self, x: Tensor) -> bool:
        fits = x.shape[3] % PIXELS_AT_ONCE == 0 and x.shape[2] % 2 == 0
        return fits and self.training and torch.is_grad_enabled()

    def _step(self, x: Tensor, before: int = NO_SHORTCUT) -> tuple[Tensor, Tensor]:
        return cast(tuple[Tensor, Tensor], halve(x.to(torch.bfloat16), self.weight, before))


def halves(layer: nn.Conv2d) -> bool:
    """Whether a convolution is one that the code can do with stride 2."""
    return (
        is_plain_3x3(layer, stride=2)
        and layer.in_channels % VECTOR == 0
        and layer.out_channels % VECTOR == 0
    )


class _Halving(ctypes.Structure):
    """`Halving` of strided.cpp."""

    _fields_ = [
        (name, ctypes.c_int)
        for name in ("images", "height", "width", "inputs", "outputs", "before")
    ]


def _sizes(x: Tensor, weight: Tensor, before: int) -> Any:
    images, inputs, height, width = x.shape
    return ctypes.byref(_Halving(images, height, width, inputs, weight.shape[0], before))


def _pack(weight: Tensor, is_turned: bool) -> Tensor:
    assert weight.dtype == torch.float32
    outputs, inputs = weight.shape[:2]
    packed = torch.empty(weight.numel(), dtype=torch.bfloat16)
    kernels().pack_halving(
        weight.data_ptr(), longs(weight.stride()), inputs, outputs, is_turned, packed.data_ptr()
    )
    return packed


def _empty(x: Tensor, weight: Tensor) -> Tensor:
    images, _, height, width = x.shape
    return torch.empty(
        images, weight.shape[0], height // 2, width // 2,
        dtype=torch.bfloat16, memory_format=torch.channels_last,
    )  # fmt: skip


@torch.library.custom_op("resnet_lab::halve", mutates_args=())
def halve(x: Tensor, weight: Tensor, before: int) -> tuple[Tensor, Tensor]:
    """(N, C, H, W) bf16 by (O, C, 3, 3) fp32 → (N, O, H / 2, W / 2) bf16, channels last.

    Args:
        before: the channels of zeros before those of x in its shortcut, option A of arXiv
            1512.03385 §3.3, or `NO_SHORTCUT`.

    Returns:
        That, and the shortcut, which is empty where there is none.
    """
    x, y, packed = laid_out(x), _empty(x, weight), _pack(weight, False)
    shortcut = x.new_empty(0) if before == NO_SHORTCUT else _empty(x, weight)
    kernels().halve(
        x.data_ptr(), packed.data_ptr(), y.data_ptr(), _address(shortcut),
        _sizes(x, weight, before), torch.get_num_threads(),
    )  # fmt: skip
    return y, shortcut


@halve.register_fake
def _(x: Tensor, weight: Tensor, before: int) -> tuple[Tensor, Tensor]:
    y = _empty(x, weight)
    return y, x.new_empty(0) if before == NO_SHORTCUT else torch.empty_like(y)


def _address(pictures: Tensor) -> int | None:
    return pictures.data_ptr() if pictures.numel() else None


@torch.library.custom_op("resnet_lab::differentiate_halving", mutates_args=())
def differentiate_halving(
    gradient: Tensor, by_shortcut: Tensor, x: Tensor, weight: Tensor, before: int
) -> tuple[Tensor, Tensor]:
    """The gradients by the input, bf16, and by the weights, fp32 and laid out as they are."""
    gradient, x, by_shortcut = laid_out(gradient), laid_out(x), laid_out(by_shortcut)
    to_x, to_weight, turned = empty_like(x), torch.empty_like(weight), _pack(weight, True)
    kernels().differentiate_halving(
        x.data_ptr(), gradient.data_ptr(), _address(by_shortcut), turned.data_ptr(),
        to_x.data_ptr(), to_weight.data_ptr(), longs(to_weight.stride()),
        _sizes(x, weight, before), torch.get_num_threads(),
    )  # fmt: skip
    return to_x, to_weight


@differentiate_halving.register_fake
def _(
    gradient: Tensor, by_shortcut: Tensor, x: Tensor, weight: Tensor, before: int
) -> tuple[Tensor, Tensor]:
    return empty_like(x), torch.empty_like(weight)


def _keep(ctx, inputs: tuple[Tensor, Tensor, int], output: tuple[Tensor, Tensor]) -> None:  # type: ignore[no-untyped-def]
    x, weight, ctx.before = inputs
    ctx.save_for_backward(x, weight)


def _backward(ctx, gradient: Tensor, by_shortcut: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[no-untyped-def]
    found = differentiate_halving(gradient, by_shortcut, *ctx.saved_tensors, ctx.before)
    return *cast(tuple[Tensor, Tensor], found), None


halve.register_autograd(_backward, setup_context=_keep)
