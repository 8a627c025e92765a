"""A single 3 × 3 convolution, and both its gradients in one pass over its pictures."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from resnet_core.training.cpu_kernels.kernels import (
    PIXELS_AT_ONCE,
    empty_like,
    kernels,
    laid_out,
    longs,
    pack,
    sizes,
)


class KernelConv2d(nn.Conv2d):
    """A convolution that trains by the kernels, in bf16 with fp32 sums, whatever is put in."""

    def forward(self, x: Tensor) -> Tensor:
        is_step = self.training and torch.is_grad_enabled()
        if not is_step or x.shape[3] % PIXELS_AT_ONCE:
            return super().forward(x)
        return cast(Tensor, convolve(x.to(torch.bfloat16), self.weight))


@torch.library.custom_op("resnet_lab::convolve", mutates_args=())
def convolve(x: Tensor, weight: Tensor) -> Tensor:
    """(N, C, H, W) bf16 by (C, C, 3, 3) fp32 → (N, C, H, W) bf16, channels last."""
    x, y, packed = laid_out(x), empty_like(x), pack(weight[None])
    kernels().convolve(
        x.data_ptr(), packed.data_ptr(), y.data_ptr(), sizes(x), torch.get_num_threads()
    )
    return y


@convolve.register_fake
def _(x: Tensor, weight: Tensor) -> Tensor:
    return empty_like(x)


@torch.library.custom_op("resnet_lab::differentiate", mutates_args=())
def differentiate(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients by the input, bf16, and by the weights, fp32 and laid out as they are."""
    gradient, x = laid_out(gradient), laid_out(x)
    to_x, to_weight, turned = (
        empty_like(x),
        torch.empty_like(weight),
        pack(weight[None], turned=True),
    )
    kernels().differentiate(
        x.data_ptr(), gradient.data_ptr(), turned.data_ptr(), to_x.data_ptr(), to_weight.data_ptr(),
        longs(to_weight.stride()), sizes(x), torch.get_num_threads(),
    )  # fmt: skip
    return to_x, to_weight


@differentiate.register_fake
def _(gradient: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    return empty_like(x), torch.empty_like(weight)


def _keep(ctx, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:  # type: ignore[no-untyped-def]
    ctx.save_for_backward(*inputs)


def _backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[no-untyped-def]
    return cast(tuple[Tensor, Tensor], differentiate(gradient, *ctx.saved_tensors))


convolve.register_autograd(_backward, setup_context=_keep)
