"""A net's first convolution with its batch norm and ReLU, as one operation: see `stem.cpp`."""

from __future__ import annotations

import ctypes
from typing import Any, cast

import torch
from torch import Tensor, nn

from resnet_core.training.cpu_kernels.kernels import (
    VECTOR,
    addresses,
    by_name,
    is_plain_3x3,
    kernels,
    laid_out,
    longs,
)
from resnet_core.training.cpu_kernels.norms import can_remember, remember

COLOURS, PIXELS_AT_ONCE = 3, 16


class KernelStem(nn.Sequential):
    """Layers whose training step runs by kernels, in bf16 with fp32 sums; the same everywhere else."""

    def forward(self, x: Tensor) -> Tensor:
        is_step = self.training and torch.is_grad_enabled() and not x.requires_grad
        if not is_step or x.shape[3] % PIXELS_AT_ONCE:
            return cast(Tensor, super().forward(x))  # type: ignore[no-untyped-call]
        conv, norm, _ = cast(tuple[nn.Conv2d, nn.BatchNorm2d, nn.ReLU], tuple(self))
        around = cast(Tensor, norm.running_mean).clone()
        out, _, mean, variance = stem(x, conv.weight, norm.weight, norm.bias, around, norm.eps)
        remember([norm], mean[None], variance[None], x.shape[0] * x.shape[2] * x.shape[3])
        return cast(Tensor, out)


def fuse_stem(layers: nn.Module) -> None:
    """Turn a net's first layers into one operation, if they are such."""
    if type(layers) is not nn.Sequential or len(layers) != 3:
        return
    conv, norm, relu = layers
    if type(conv) is not nn.Conv2d or not isinstance(relu, nn.ReLU) or not can_remember(norm):
        return
    if is_plain_3x3(conv, stride=1) and (conv.in_channels, conv.out_channels) == (COLOURS, VECTOR):
        layers.__class__ = KernelStem


NUMBERS = "images height width threads"
FORWARD = "weight gamma beta y out mean variance"
BACKWARD = "gradient to_weight to_gamma to_beta"
FLOATS = "weight gamma beta mean variance"


class _Stem(ctypes.Structure):
    """`Stem` of stem.cpp."""

    _fields_ = [
        *((name, ctypes.c_int) for name in NUMBERS.split()),
        ("eps", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in f"x strides {FORWARD} {BACKWARD}".split()),
    ]


def _describe(x: Tensor, strides: Any, eps: float, *given: Tensor) -> Any:
    """Where everything lies, for the code; the tensors have to outlive its run.

    Args:
        given: in the order of `FORWARD`, and then of `BACKWARD`.
    """
    tensors = by_name(f"{FORWARD} {BACKWARD}", given)
    assert all(tensors[name].dtype == torch.float32 for name in FLOATS.split())
    images, _, height, width = x.shape
    return ctypes.byref(
        _Stem(
            images=images,
            height=height,
            width=width,
            threads=torch.get_num_threads(),
            eps=eps,
            x=x.data_ptr(),
            strides=ctypes.addressof(strides),
            **addresses(tensors),
        )
    )


@torch.library.custom_op("resnet_lab::stem", mutates_args=())
def stem(
    x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, around: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """relu(batch norm(x by weight)) in training; x is rounded to bf16 and nobody's gradient.

    Args:
        x: (N, 3, H, W).
        weight: (16, 3, 3, 3) fp32, of any strides.
        gamma, beta: of the batch norm, (16,) fp32.
        around: a guess of the means, (16,).
        eps: added to variances.

    Returns:
        What comes out, and what the convolution gives, (N, 16, H, W) bf16, channels last; the
        batch's means and variances, (16,) fp32.
    """
    x, y, out = _laid_out(x), _empty(x), _empty(x)
    gamma, beta, mean = gamma.contiguous(), beta.contiguous(), around.clone()
    variance, strides = torch.empty_like(mean), longs(weight.stride())
    kernels().stem_forward(_describe(x, strides, eps, weight, gamma, beta, y, out, mean, variance))
    return out, y, mean, variance


def _laid_out(x: Tensor) -> Tensor:
    return x.float().contiguous(memory_format=torch.channels_last)


def _empty(x: Tensor) -> Tensor:
    images, _, height, width = x.shape
    return torch.empty(
        images, VECTOR, height, width, dtype=torch.bfloat16, memory_format=torch.channels_last
    )


@stem.register_fake
def _(
    x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, around: Tensor, eps: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return _empty(x), _empty(x), torch.empty_like(around), torch.empty_like(around)


@torch.library.custom_op("resnet_lab::stem_gradient", mutates_args=())
def stem_gradient(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    gamma: Tensor,
    beta: Tensor,
    y: Tensor,
    mean: Tensor,
    variance: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients by weight, laid out as it is, and by gamma and beta; all fp32."""
    gradient, x, to_weight = laid_out(gradient), _laid_out(x), torch.empty_like(weight)
    gamma, beta, strides = gamma.contiguous(), beta.contiguous(), longs(to_weight.stride())
    to_gamma, to_beta = torch.empty_like(gamma), torch.empty_like(beta)
    # Where the output lies makes no difference any more: y says what came out.
    forward = (weight, gamma, beta, y, y, mean, variance)
    backward = (gradient, to_weight, to_gamma, to_beta)
    kernels().stem_backward(_describe(x, strides, eps, *forward, *backward))
    return to_weight, to_gamma, to_beta


@stem_gradient.register_fake
def _(
    gradient: Tensor, x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, y: Tensor,
    mean: Tensor, variance: Tensor, eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    return torch.empty_like(weight), torch.empty_like(gamma), torch.empty_like(beta)


def _keep(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    x, weight, gamma, beta, _, ctx.eps = inputs
    ctx.save_for_backward(x, weight, gamma, beta, *output[1:])
    ctx.set_materialize_grads(False)


def _backward(ctx, gradient: Tensor, *others: None) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    assert all(of_others is None for of_others in others), "only what comes out has a gradient"
    return None, *stem_gradient(gradient, *ctx.saved_tensors, ctx.eps), None, None


stem.register_autograd(_backward, setup_context=_keep)
