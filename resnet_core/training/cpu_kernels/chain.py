"""Residual blocks of one shape, or plain ones, as one operation: `chain.cpp` says how, and why."""

from __future__ import annotations

import ctypes
from typing import Any, cast

import torch
from torch import Tensor, nn

from resnet_core.models.blocks import PlainBlock, ResidualBlock
from resnet_core.training.cpu_kernels.kernels import (
    PIXELS_AT_ONCE,
    empty_like,
    fits_kernels,
    kernels,
    laid_out,
    pack,
    sizes,
)


class ChainedStage(nn.Sequential):
    """A stage whose last blocks train as one operation; the same everywhere else.

    Their inputs come out of a ReLU.
    """

    single_blocks: int
    """How many blocks stand before the chain: those that change the shape."""

    def forward(self, x: Tensor) -> Tensor:
        is_step = self.training and torch.is_grad_enabled()
        blocks = cast(list[PlainBlock], list(self))
        for block in blocks[: self.single_blocks]:
            x = block(x)
        chained = blocks[self.single_blocks :]
        if is_step and x.shape[3] % PIXELS_AT_ONCE == 0:
            return _step(x.to(torch.bfloat16), chained)
        for block in chained:
            x = block(x)
        return x


def chain_blocks(stage: nn.Module) -> None:
    """Turn a stage into a chained one if at least its last block can be chained."""
    if type(stage) is not nn.Sequential:
        return
    blocks = list(stage)
    single = len(blocks)
    while single and _can_chain(blocks[single - 1], blocks[-1]):
        single -= 1
    if single < len(blocks):
        stage.__class__ = ChainedStage
        cast(ChainedStage, stage).single_blocks = single


def _can_chain(block: nn.Module, last: nn.Module) -> bool:
    """Whether a block keeps its input's shape, and is of the kind and width of the last one."""
    if type(block) is not type(last) or type(block) not in (PlainBlock, ResidualBlock):
        return False
    assert isinstance(block, PlainBlock) and isinstance(last, PlainBlock)
    norms = (block.bn1, block.bn2)
    return (
        all(map(fits_kernels, (block.conv1, block.conv2)))
        and block.conv1.in_channels == last.conv1.in_channels
        and all(norm.affine and norm.track_running_stats for norm in norms)
        and all(norm.momentum is not None and norm.eps == last.bn1.eps for norm in norms)
        and isinstance(getattr(block, "shortcut", nn.Identity()), nn.Identity)
    )


def _step(x: Tensor, blocks: list[PlainBlock]) -> Tensor:
    """The blocks in training; their batch norms keep the batch's statistics as ever."""
    norms = [norm for block in blocks for norm in (block.bn1, block.bn2)]
    weights = [conv.weight for block in blocks for conv in (block.conv1, block.conv2)]
    around = torch.stack([cast(Tensor, norm.running_mean) for norm in norms])
    out, _, means, variances = chain(
        x,
        torch.stack(weights),
        torch.stack([norm.weight for norm in norms]),
        torch.stack([norm.bias for norm in norms]),
        around,
        norms[0].eps,
        isinstance(blocks[0], ResidualBlock),
    )
    values = x.shape[0] * x.shape[2] * x.shape[3]
    unbiased = variances * (values / (values - 1))
    for norm, mean, variance in zip(norms, means, unbiased, strict=True):
        _remember(norm, mean, variance)
    return cast(Tensor, out)


@torch.no_grad()
def _remember(norm: nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    """What a batch norm keeps of a batch."""
    assert norm.running_mean is not None and norm.running_var is not None
    assert norm.num_batches_tracked is not None and norm.momentum is not None
    norm.num_batches_tracked.add_(1)
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(variance, norm.momentum)


NUMBERS = "blocks is_residual threads"
FORWARD = "weights gamma beta kept out mean variance"
BACKWARD = "gradient work to_x to_weights to_gamma to_beta"


class _Chain(ctypes.Structure):
    """`Chain` of chain.cpp."""

    _fields_ = [
        ("sizes", ctypes.c_int * 4),
        *((name, ctypes.c_int) for name in NUMBERS.split()),
        ("eps", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in f"x {FORWARD} {BACKWARD}".split()),
    ]


def _describe(x: Tensor, eps: float, is_residual: bool, *given: Tensor) -> Any:
    """Where everything lies, for the code; the tensors have to outlive its run.

    Args:
        given: in the order of `FORWARD`, and then of `BACKWARD`.
    """
    tensors = dict(zip(f"{FORWARD} {BACKWARD}".split(), given, strict=False))
    assert all(tensors[name].dtype == torch.float32 for name in ("gamma", "beta", "mean"))
    return ctypes.byref(
        _Chain(
            sizes=sizes(x),
            blocks=len(tensors["mean"]) // 2,
            is_residual=is_residual,
            threads=torch.get_num_threads(),
            eps=eps,
            x=x.data_ptr(),
            **{name: tensor.data_ptr() for name, tensor in tensors.items()},
        )
    )


@torch.library.custom_op("resnet_lab::chain", mutates_args=())
def chain(
    x: Tensor,
    weights: Tensor,
    gamma: Tensor,
    beta: Tensor,
    around: Tensor,
    eps: float,
    is_residual: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Blocks of two convolutions with batch norm and a ReLU each, in training.

    Args:
        x: (N, C, H, W) bf16, nowhere negative.
        weights: (2 blocks, C, C, 3, 3) fp32.
        gamma, beta: of the batch norms, (2 blocks, C) fp32.
        around: a guess of the layers' means, (2 blocks, C).
        eps: added to variances.
        is_residual: whether x is added before a block's last ReLU.

    Returns:
        What comes out, (N, C, H, W) bf16, channels last; what its gradient needs; and the batch's
        means and variances, (2 blocks, C) fp32.
    """
    x, out, packed = laid_out(x), empty_like(x), pack(list(weights))
    gamma, beta, mean = gamma.contiguous(), beta.contiguous(), around.clone()
    kept, variance = _kept(x, weights), torch.empty_like(mean)
    forward = (packed, gamma, beta, kept, out, mean, variance)
    kernels().chain_forward(_describe(x, eps, is_residual, *forward))
    return out, kept, mean, variance


def _kept(x: Tensor, weights: Tensor) -> Tensor:
    """A block's convolutions and what it gives, but for the last one's."""
    images, channels, height, width = x.shape
    pictures = len(weights) // 2 * 3 - 1
    return x.new_empty(pictures, images, height, width, channels, dtype=torch.bfloat16)


@chain.register_fake
def _(
    x: Tensor, weights: Tensor, gamma: Tensor, beta: Tensor, around: Tensor, eps: float,
    is_residual: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    return empty_like(x), _kept(x, weights), torch.empty_like(around), torch.empty_like(around)


@torch.library.custom_op("resnet_lab::chain_gradient", mutates_args=())
def chain_gradient(
    gradient: Tensor,
    x: Tensor,
    weights: Tensor,
    gamma: Tensor,
    beta: Tensor,
    out: Tensor,
    kept: Tensor,
    mean: Tensor,
    variance: Tensor,
    eps: float,
    is_residual: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients by x, bf16, and by weights, gamma and beta, fp32."""
    gradient, x, packed = laid_out(gradient), laid_out(x), pack(list(weights), turned=True)
    gamma, beta = gamma.contiguous(), beta.contiguous()
    work = torch.empty(2, x.numel(), dtype=torch.bfloat16)
    to_x, to_weights = empty_like(x), torch.empty(weights.shape, dtype=torch.float32)
    to_gamma, to_beta = torch.empty_like(gamma), torch.empty_like(beta)
    forward = (packed, gamma, beta, kept, out, mean, variance)
    backward = (gradient, work, to_x, to_weights, to_gamma, to_beta)
    kernels().chain_backward(_describe(x, eps, is_residual, *forward, *backward))
    return to_x, to_weights, to_gamma, to_beta


@chain_gradient.register_fake
def _(
    gradient: Tensor, x: Tensor, weights: Tensor, gamma: Tensor, beta: Tensor, out: Tensor,
    kept: Tensor, mean: Tensor, variance: Tensor, eps: float, is_residual: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    to_weights = torch.empty(weights.shape, dtype=torch.float32)
    return empty_like(x), to_weights, torch.empty_like(gamma), torch.empty_like(beta)


def _keep(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    x, weights, gamma, beta, _, ctx.eps, ctx.is_residual = inputs
    ctx.save_for_backward(x, weights, gamma, beta, *output)
    ctx.set_materialize_grads(False)


def _backward(ctx, gradient: Tensor, *others: None) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    assert all(of_others is None for of_others in others), "only what comes out has a gradient"
    found = chain_gradient(gradient, *ctx.saved_tensors, ctx.eps, ctx.is_residual)
    return *found, None, None, None


chain.register_autograd(_backward, setup_context=_keep)
