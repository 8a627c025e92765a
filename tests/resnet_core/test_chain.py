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
    OF_VALUES,
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
    def forward(ctx, exact: Tensor, kept: Tensor, near: float) -> Tensor:
        kept = kept.to(exact.dtype)
        assert distance(kept, exact) < near
        return kept

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        return gradient, None, None


def rounded(x: Tensor) -> Tensor:
    return _Kept.apply(x, x.bfloat16(), BF16_STEP)


def from_what_is_kept(stage: nn.Module, x: Tensor, kept: list[Tensor], near: float) -> Tensor:
    """What the blocks give in fp64, layer by layer from what a chain keeps of the one before.

    A rounding that goes the other way is no error, and would turn ReLUs over further on.

    Args:
        kept: of each block both convolutions and what it gives.
        near: how near convolutions are to exact ones.
    """

    def normalised(conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor, kept: Tensor) -> Tensor:
        exact = F.conv2d(x, rounded(conv.weight), stride=conv.stride, padding=1)
        y = _Kept.apply(exact, kept, near)
        mean, variance = y.mean((0, 2, 3)), y.var((0, 2, 3), correction=0)
        scale = norm.weight / (variance + norm.eps).sqrt()
        shift = norm.bias - mean * scale
        return y * scale[:, None, None] + shift[:, None, None]

    for number, block in enumerate(stage):
        first, second, given = kept[3 * number : 3 * number + 3]
        inner = rounded(F.relu(normalised(block.conv1, block.bn1, x, first)))
        y = normalised(block.conv2, block.bn2, inner, second)
        shortcut = block.shortcut(x) if isinstance(block, ResidualBlock) else 0
        x = _Kept.apply(F.relu(y + shortcut), given, BF16_STEP)
    return x


@pytest.mark.parametrize("kind", [ResidualBlock, PlainBlock])
@pytest.mark.parametrize("changes_shape", [False, True])
@pytest.mark.parametrize("shape", CHAINS)
def test_a_chain_gives_what_its_blocks_give(
    kernels: str, kind: type[PlainBlock], changes_shape: bool, shape, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
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
    found = watched_chains(monkeypatch)
    x.requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = stage(x)
    y.backward(gradient)
    first, kept, out = (each if each is None else each.detach() for each in found[0])
    exact_x = x.detach().double().requires_grad_()
    pictures = [*(each.permute(0, 3, 1, 2) for each in kept), out]
    if first is not None:
        pictures = [first, *pictures]
    made = from_what_is_kept(exact_stage, exact_x, pictures, OF_VALUES[kernels])
    made.backward(gradient.double())
    assert relative(x.grad, exact_x.grad) < 0.015
    ours, wanted = dict(stage.named_parameters()), dict(exact_stage.named_parameters())
    worst = {name: relative(ours[name].grad, wanted[name].grad) for name in wanted}
    assert max(worst.values()) < 0.03, worst


def watched_chains(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Tensor | None, Tensor, Tensor]]:
    """Of each chain that runs from now on: its first convolution, what it keeps, and its result."""
    operation = chain.chain
    found: list[tuple[Tensor | None, Tensor, Tensor]] = []

    def watched(x: Tensor, first: Tensor | None, *others: object) -> tuple[Tensor, ...]:
        out, kept, *statistics = operation(x, first, *others)
        found.append((first, kept, out))
        return out, kept, *statistics

    monkeypatch.setattr(chain, "chain", watched)
    return found


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


def test_a_channel_that_hardly_varies_is_normalised_as_it_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bf16 step of its mean is more than its deviation: statistics are of the rounded values."""
    stage = stage_of(ResidualBlock, 1, 16)
    chain_blocks(stage)
    conv, norm = stage[0].conv1, stage[0].bn1
    x = (1 + laid_out(8, 16, 8, 8) / 300).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[:, :, 1, 1].copy_(torch.eye(16))  # what goes in comes out
        norm.running_mean.zero_(), norm.running_var.zero_()
    found = watched_chains(monkeypatch)
    stage(x)
    kept = found[0][1].detach()[0].double()
    mean, variance = kept.mean((0, 1, 2)), kept.var((0, 1, 2))
    torch.testing.assert_close(mean, x.double().mean((0, 2, 3)), rtol=BF16_STEP, atol=0)
    torch.testing.assert_close(norm.running_mean.double() / norm.momentum, mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        norm.running_var.double() / norm.momentum, variance, rtol=1e-3, atol=0
    )
