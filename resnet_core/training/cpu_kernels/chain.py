"""Residual blocks of one shape, or plain ones, as one operation: `chain.cpp` says how, and why.

The first of them may come from another shape: what its first convolution gives and its shortcut
are found as ever, and the rest of it belongs to the operation.
"""

from __future__ import annotations

import ctypes
from typing import Any, cast

import torch
from torch import Tensor, nn

from resnet_core.models.blocks import PlainBlock, ResidualBlock
from resnet_core.training.cpu_kernels.halving import HalvingConv2d
from resnet_core.training.cpu_kernels.kernels import (
    PIXELS_AT_ONCE,
    addresses,
    by_name,
    empty_like,
    fits_kernels,
    kernels,
    laid_out,
    pack,
    sizes,
)
from resnet_core.training.cpu_kernels.norms import can_remember, remember


class ChainedStage(nn.Sequential):
    """A stage whose last blocks train as one operation; the same everywhere else.

    Their inputs come out of a ReLU.
    """

    single_blocks: int
    """How many blocks stand before the chain."""
    changes_shape: bool
    """Whether the chain's first block comes from another shape."""

    def forward(self, x: Tensor) -> Tensor:
        is_step = self.training and torch.is_grad_enabled()
        blocks = cast(list[PlainBlock], list(self))
        for block in blocks[: self.single_blocks]:
            x = block(x)
        chained = blocks[self.single_blocks :]
        if is_step and self.changes_shape:
            first, shortcut = _enter(x, chained[0])
            if first.shape[3] % PIXELS_AT_ONCE == 0:
                return _step(shortcut, first, chained)
        elif is_step and x.shape[3] % PIXELS_AT_ONCE == 0:
            return _step(x, None, chained)
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
    changes_shape = single > 0 and _can_chain(blocks[single - 1], blocks[-1], changes_shape=True)
    if single - changes_shape < len(blocks):
        stage.__class__ = ChainedStage
        chained = cast(ChainedStage, stage)
        chained.single_blocks, chained.changes_shape = single - changes_shape, changes_shape


def _can_chain(block: nn.Module, last: nn.Module, changes_shape: bool = False) -> bool:
    """Whether a block is of the kind and width of the last one, and keeps its input's shape or not."""
    if type(block) is not type(last) or type(block) not in (PlainBlock, ResidualBlock):
        return False
    assert isinstance(block, PlainBlock) and isinstance(last, PlainBlock)
    norms = (block.bn1, block.bn2)
    fits = fits_kernels(block.conv2) and (changes_shape or fits_kernels(block.conv1))
    keeps_shape = isinstance(getattr(block, "shortcut", nn.Identity()), nn.Identity)
    return (
        fits
        and (changes_shape or keeps_shape)
        and block.conv2.in_channels == last.conv2.in_channels
        and all(can_remember(norm) and norm.eps == last.bn1.eps for norm in norms)
    )


def _enter(x: Tensor, block: PlainBlock) -> tuple[Tensor, Tensor]:
    """What the first convolution of a block gives that changes the shape, and the shortcut beside it.

    Plain nets have none; what stands in for it is left alone.
    """
    if not isinstance(block, ResidualBlock):
        first = block.conv1(x)
        return first, first.detach()
    if isinstance(block.conv1, HalvingConv2d):
        return block.conv1.with_shortcut(x, block.shortcut)
    return block.conv1(x), block.shortcut(x)


def _step(x: Tensor, first: Tensor | None, blocks: list[PlainBlock]) -> Tensor:
    """The blocks in training; their batch norms keep the batch's statistics as ever.

    Args:
        x, first: as `chain` takes them.
    """
    norms = [norm for block in blocks for norm in (block.bn1, block.bn2)]
    convs = [conv for block in blocks for conv in (block.conv1, block.conv2)]
    weights = [conv.weight for conv in (convs if first is None else convs[1:])]
    around = torch.stack([cast(Tensor, norm.running_mean) for norm in norms])
    out, _, means, variances = chain(
        x.to(torch.bfloat16),
        first if first is None else first.to(torch.bfloat16),
        torch.stack(weights),
        torch.stack([norm.weight for norm in norms]),
        torch.stack([norm.bias for norm in norms]),
        around,
        norms[0].eps,
        isinstance(blocks[0], ResidualBlock),
    )
    remember(norms, means, variances, x.shape[0] * x.shape[2] * x.shape[3])
    return cast(Tensor, out)


NUMBERS = "blocks is_residual threads"
FORWARD = "first weights gamma beta kept out mean variance"
BACKWARD = "gradient work to_x to_weights to_gamma to_beta"


class _Chain(ctypes.Structure):
    """`Chain` of chain.cpp."""

    _fields_ = [
        ("sizes", ctypes.c_int * 4),
        *((name, ctypes.c_int) for name in NUMBERS.split()),
        ("eps", ctypes.c_float),
        *((name, ctypes.c_void_p) for name in f"x {FORWARD} {BACKWARD}".split()),
    ]


def _describe(x: Tensor, eps: float, is_residual: bool, *given: Tensor | None) -> Any:
    """Where everything lies, for the code; the tensors have to outlive its run.

    Args:
        given: in the order of `FORWARD`, and then of `BACKWARD`.
    """
    tensors = by_name(f"{FORWARD} {BACKWARD}", given)
    assert all(tensors[name].dtype == torch.float32 for name in ("gamma", "beta", "mean"))
    return ctypes.byref(
        _Chain(
            sizes=sizes(x),
            blocks=len(tensors["mean"]) // 2,
            is_residual=is_residual,
            threads=torch.get_num_threads(),
            eps=eps,
            x=x.data_ptr(),
            **addresses(tensors),
        )
    )


@torch.library.custom_op("resnet_lab::chain", mutates_args=())
def chain(
    x: Tensor,
    first: Tensor | None,
    weights: Tensor,
    gamma: Tensor,
    beta: Tensor,
    around: Tensor,
    eps: float,
    is_residual: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Blocks of two convolutions with batch norm and a ReLU each, in training.

    Args:
        x: (N, C, H, W) bf16, nowhere negative; where `first` is given, the first block's shortcut,
            which plain nets leave alone.
        first: what the first convolution gives, (N, C, H, W) bf16, if it is found elsewhere.
        weights: (2 blocks, C, C, 3, 3) fp32, or one less where `first` is given.
        gamma, beta: of the batch norms, (2 blocks, C) fp32.
        around: a guess of the layers' means, (2 blocks, C).
        eps: added to variances.
        is_residual: whether x is added before a block's last ReLU.

    Returns:
        What comes out, (N, C, H, W) bf16, channels last; what its gradient needs; and the batch's
        means and variances, (2 blocks, C) fp32.
    """
    x, out, packed = laid_out(x), empty_like(x), pack(weights)
    first = first if first is None else laid_out(first)
    gamma, beta, mean = gamma.contiguous(), beta.contiguous(), around.clone()
    kept, variance = _kept(x, weights), torch.empty_like(mean)
    forward = (first, packed, gamma, beta, kept, out, mean, variance)
    kernels().chain_forward(_describe(x, eps, is_residual, *forward))
    return out, kept, mean, variance


def _kept(x: Tensor, weights: Tensor) -> Tensor:
    """A block's convolutions found here and what it gives, but for the last one's."""
    images, channels, height, width = x.shape
    pictures = len(weights) + (len(weights) + 1) // 2 - 1
    return x.new_empty(pictures, images, height, width, channels, dtype=torch.bfloat16)


@chain.register_fake
def _(
    x: Tensor, first: Tensor | None, weights: Tensor, gamma: Tensor, beta: Tensor, around: Tensor,
    eps: float, is_residual: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    return empty_like(x), _kept(x, weights), torch.empty_like(around), torch.empty_like(around)


@torch.library.custom_op("resnet_lab::chain_gradient", mutates_args=())
def chain_gradient(
    gradient: Tensor,
    x: Tensor,
    first: Tensor | None,
    weights: Tensor,
    gamma: Tensor,
    beta: Tensor,
    out: Tensor,
    kept: Tensor,
    mean: Tensor,
    variance: Tensor,
    eps: float,
    is_residual: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """The gradients by x and first, bf16, and by weights, gamma and beta, fp32.

    That by first is empty where it is not given, and that by x where it only is a shortcut left alone.
    """
    gradient, x, packed = laid_out(gradient), laid_out(x), pack(weights, turned=True)
    gamma, beta = gamma.contiguous(), beta.contiguous()
    first = first if first is None else laid_out(first)
    work = torch.empty(2, x.numel(), dtype=torch.bfloat16)
    to_x, to_weights = empty_like(x), _by_weights(weights)
    to_gamma, to_beta = torch.empty_like(gamma), torch.empty_like(beta)
    forward = (first, packed, gamma, beta, kept, out, mean, variance)
    backward = (gradient, work, to_x, to_weights, to_gamma, to_beta)
    kernels().chain_backward(_describe(x, eps, is_residual, *forward, *backward))
    if first is None:
        return to_x, to_x.new_empty(0), to_weights, to_gamma, to_beta
    images, channels, height, width = x.shape
    # What is left in the work's first half is the gradient by what the first block gives.
    carried = work[0].clone().view(images, height, width, channels).permute(0, 3, 1, 2)
    return carried if is_residual else x.new_empty(0), to_x, to_weights, to_gamma, to_beta


def _by_weights(weights: Tensor) -> Tensor:
    """Room for their gradient, channels last as they are: so each takes its own as it lies."""
    layers, outputs, inputs, *taps = weights.shape
    room = torch.empty(layers, outputs, *taps, inputs, dtype=torch.float32)
    return room.permute(0, 1, 4, 2, 3)


@chain_gradient.register_fake
def _(
    gradient: Tensor, x: Tensor, first: Tensor | None, weights: Tensor, gamma: Tensor,
    beta: Tensor, out: Tensor, kept: Tensor, mean: Tensor, variance: Tensor, eps: float,
    is_residual: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    to_x = x.new_empty(0) if first is not None and not is_residual else empty_like(x)
    to_first = x.new_empty(0) if first is None else empty_like(x)
    return to_x, to_first, _by_weights(weights), torch.empty_like(gamma), torch.empty_like(beta)


def _keep(ctx, inputs, output) -> None:  # type: ignore[no-untyped-def]
    x, first, weights, gamma, beta, _, ctx.eps, ctx.is_residual = inputs
    ctx.save_for_backward(x, first, weights, gamma, beta, *output)
    ctx.set_materialize_grads(False)


def _backward(ctx, gradient: Tensor, *others: None) -> tuple[Tensor | None, ...]:  # type: ignore[no-untyped-def]
    assert all(of_others is None for of_others in others), "only what comes out has a gradient"
    found = chain_gradient(gradient, *ctx.saved_tensors, ctx.eps, ctx.is_residual)
    pictures = [each if each.numel() else None for each in found[:2]]
    return *pictures, *found[2:], None, None, None


chain.register_autograd(_backward, setup_context=_keep)
