"""Blocks that are one operation give what their layers give, one by one."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_core.models.blocks import PlainBlock, ResidualBlock
from resnet_core.training.cpu_kernels import chain
from resnet_core.training.cpu_kernels.chain import ChainedStage, chain_blocks
from resnet_core.training.cpu_kernels.use import put_kernels_in
from tests.resnet_core.cpu_kernels import (
    BF16_STEP,
    ON_LINUX_AND_X86,
    distance,
    laid_out,
    stage_of,
)

pytestmark = [ON_LINUX_AND_X86, pytest.mark.usefixtures("kernels")]

CHAINS = [  # blocks, images, channels, height, width
    (3, 5, 16, 32, 32),
    (2, 6, 32, 16, 16),
    (2, 30, 64, 8, 8),
    (1, 2, 16, 7, 40),
    (1, 3, 128, 5, 8),
]


class _Kept(torch.autograd.Function):
    """The value that a chain keeps in the place of an exact one, and its gradient as if it were it."""

    @staticmethod
    def forward(ctx, exact: Tensor, kept: Tensor) -> Tensor:
        kept = kept.to(exact.dtype)
        assert distance(kept, exact) < BF16_STEP
        return kept

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def rounded(x: Tensor) -> Tensor:
    return _Kept.apply(x, x.bfloat16())


def from_what_is_kept(stage: nn.Module, x: Tensor, kept: list[Tensor]) -> Tensor:
    """What the blocks give in fp64, layer by layer from what a chain keeps of the one before.

    A rounding that goes the other way is no error, and would turn ReLUs over further on.

    Args:
        kept: of each block both convolutions and what it gives.
    """

    def normalised(conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor, kept: Tensor) -> Tensor:
        y = _Kept.apply(F.conv2d(x, rounded(conv.weight), stride=conv.stride, padding=1), kept)
        mean, variance = y.mean((0, 2, 3)), y.var((0, 2, 3), correction=0)
        scale = norm.weight / (variance + norm.eps).sqrt()
        shift = norm.bias - mean * scale
        return y * scale[:, None, None] + shift[:, None, None]

    for number, block in enumerate(stage):
        first, second, given = kept[3 * number : 3 * number + 3]
        inner = rounded(F.relu(normalised(block.conv1, block.bn1, x, first)))
        y = normalised(block.conv2, block.bn2, inner, second)
        shortcut = block.shortcut(x) if isinstance(block, ResidualBlock) else 0
        x = _Kept.apply(F.relu(y + shortcut), given)
    return x


@pytest.mark.parametrize("kind", [ResidualBlock, PlainBlock])
@pytest.mark.parametrize("changes_shape", [False, True])
@pytest.mark.parametrize("shape", CHAINS)
def test_a_chain_gives_what_its_blocks_give(
    kind: type[PlainBlock], changes_shape: bool, shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks, *sizes = shape
    stage = stage_of(kind, blocks, sizes[1])
    gradient = laid_out(*sizes)
    if changes_shape:
        images, channels, height, width = sizes
        stage[0] = stage_of(kind, 1, channels, from_channels=channels // 2)[0]
        sizes = [images, channels // 2, 2 * height, 2 * width]
    x = laid_out(*sizes).relu()
    exact_stage = copy.deepcopy(stage).double()
    put_kernels_in(stage)
    chain_blocks(stage)
    assert type(stage) is ChainedStage and stage.single_blocks == 0
    assert stage.changes_shape == changes_shape
    found: list[tuple[Tensor, ...]] = []
    operation = chain.chain
    firsts: list[Tensor] = []

    def watched(x: Tensor, first: Tensor, *others: object) -> tuple[Tensor, ...]:
        firsts.append(first)
        found.append(operation(x, first, *others))
        return found[-1]

    monkeypatch.setattr(chain, "chain", watched)
    x.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = stage(x)
    y.backward(gradient)
    out, kept, *_ = (each.detach() for each in found[0])
    exact_x = x.detach().double().requires_grad_()
    pictures = [*(each.permute(0, 3, 1, 2) for each in kept), out]
    if changes_shape:
        pictures = [firsts[0].detach(), *pictures]
    from_what_is_kept(exact_stage, exact_x, pictures).backward(gradient.double())
    assert relative(x.grad, exact_x.grad) < 0.015
    ours, wanted = dict(stage.named_parameters()), dict(exact_stage.named_parameters())
    worst = {name: relative(ours[name].grad, wanted[name].grad) for name in wanted}
    assert max(worst.values()) < 0.03, worst


def relative(ours: Tensor | None, exact: Tensor | None) -> float:
    """The length of the difference, in shares of the length."""
    assert ours is not None and exact is not None
    return float((ours.double() - exact).norm() / exact.norm())


def test_a_chain_keeps_the_batchs_statistics() -> None:
    stage = stage_of(ResidualBlock, 2, 16)
    usual = copy.deepcopy(stage).double()
    chain_blocks(stage)
    x = laid_out(8, 16, 8, 8).relu()
    for _ in range(2):
        stage(x)
        usual(x.double())
    for name, value in usual.state_dict().items():
        torch.testing.assert_close(
            stage.state_dict()[name].double(), value.double(), rtol=0.02, atol=0.01
        )


def test_what_is_no_number_is_seen_behind_a_chain() -> None:
    stage = stage_of(ResidualBlock, 2, 16)
    chain_blocks(stage)
    x = laid_out(2, 16, 8, 8).relu()
    x[1, 3, 4, 5] = float("nan")
    assert stage(x).isnan().any()
    (block, *_) = stage
    assert block.bn1.running_var.isnan().all() and block.bn1.running_mean.isnan().all()


def test_a_channel_that_hardly_varies_is_normalised_as_it_is_kept() -> None:
    """A bf16 step of its mean is more than its deviation: statistics are of the rounded values."""
    stage = stage_of(ResidualBlock, 1, 16)
    chain_blocks(stage)
    conv, norm = stage[0].conv1, stage[0].bn1
    x = (1 + laid_out(8, 16, 8, 8) / 300).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[:, :, 1, 1].copy_(torch.eye(16))  # what goes in comes out
        norm.running_mean.zero_(), norm.running_var.zero_()
    stage(x)
    exact = x.double()
    mean, variance = exact.mean((0, 2, 3)), exact.var((0, 2, 3))
    torch.testing.assert_close(norm.running_mean.double() / norm.momentum, mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        norm.running_var.double() / norm.momentum, variance, rtol=1e-3, atol=0
    )
