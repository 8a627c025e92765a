"""Skip surgery: switch blocks of a trained net off, or swap two, and measure what is left of it.

Veit, Wilber, Belongie 2016 (arXiv 1605.06431 §4): a residual net hardly notices the loss of one
block, since all its other paths remain; a plain net has one path, and every block stands in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_core.analysis.rows import Row
from resnet_core.data.dataset import Split
from resnet_core.errors import ConfigError
from resnet_core.models.blocks import (
    HighwayBlock,
    PreActivationBottleneck,
    ResidualBlock,
    ZeroPadShortcut,
)
from resnet_core.models.config import ONLY_CIFAR_NETS
from resnet_core.models.network import Network, PixelModel

CHUNK_IMAGES = 250  # activations of so many stay in a CPU's cache better than of all
Step = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Block:
    """One block of a network and its place."""

    number: int
    """From 1, counted from the input."""
    stage: int
    """1, 2 or 3."""
    module: nn.Module

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels in, channels out, stride: blocks of one shape can stand in for each other."""
        first = _conv(self.module, "conv1")
        last = _conv(self.module, "conv3" if hasattr(self.module, "conv3") else "conv2")
        return first.in_channels, last.out_channels, first.stride[0]

    @property
    def changes_shape(self) -> bool:
        in_channels, out_channels, stride = self.shape
        return stride != 1 or in_channels != out_channels


@dataclass(frozen=True)
class Operation:
    """What is done to a net: block numbers, counted from 1."""

    off: tuple[int, ...] = ()
    """Blocks of which only the shortcut is left."""
    swapped: tuple[tuple[int, int], ...] = ()
    """Pairs of blocks that change places."""


@dataclass(frozen=True)
class SurgeryScore(Row):
    """Error and loss of a net after one operation; neither off nor swapped is the net as it is."""

    kind = "surgery"
    model: str
    off: tuple[int, ...]
    swapped: tuple[tuple[int, int], ...]
    stage: int
    """Stage of the first block touched; 0 for the net as it is."""
    changes_shape: bool
    """Whether a block that is touched changes the shape."""
    error_percent: float
    loss: float


def find_blocks(network: nn.Module) -> list[Block]:
    """The network's blocks from input to output.

    Raises:
        ConfigError: it is a net for photos.
    """
    cifar = _cifar(network)
    stages = (cifar.stage1, cifar.stage2, cifar.stage3)
    placed = [(stage, module) for stage, part in enumerate(stages, 1) for module in part]
    return [Block(number, stage, module) for number, (stage, module) in enumerate(placed, 1)]


def bypass(block: Block) -> Step:
    """What is left of a block whose learned branch is switched off.

    A residual block keeps its shortcut, a highway block its carry. A plain block has none: it is
    taken out, and where it changed the shape, option A's padding stands in (1512.03385 §3.3).
    """
    module = block.module
    match module:
        case HighwayBlock():
            return module.shortcut
        case PreActivationBottleneck():
            return lambda x: module.shortcut(
                module.act1(module.bn1(x)) if module.projects_activated else x
            )
        case ResidualBlock():
            # The branch is zero; the nonlinearity after the sum is no part of it.
            return lambda x: F.relu(module.shortcut(x))
    return ZeroPadShortcut(*block.shape) if block.changes_shape else nn.Identity()


def operate(network: nn.Module, operation: Operation) -> list[Step]:
    """The steps from the stem's output to the input of `pre_logits` after the operation.

    Each maps (N, C, H, W) to the next. The network itself stays as it is.

    Raises:
        ConfigError: a block that is not there, or a swap of blocks of different shapes.
    """
    blocks = find_blocks(network)
    check_operation(blocks, operation)
    order = list(blocks)
    for first, second in operation.swapped:
        order[first - 1], order[second - 1] = order[second - 1], order[first - 1]
    return [bypass(b) if b.number in operation.off else b.module for b in order]


@torch.no_grad()
def score_after(model: PixelModel, split: Split, operation: Operation, name: str) -> SurgeryScore:
    """Error and loss of the model after one operation, in evaluation mode.

    Raises:
        ConfigError: the operation does not fit this net.
    """
    model.eval()
    steps = operate(model.network, operation)
    start = _stem(model, split)
    return _scored(model, split, name, operation, start, steps)


def survey(
    model: PixelModel,
    split: Split,
    name: str,
    swaps: bool = False,
    done: Collection[Operation] = (),
) -> Iterator[SurgeryScore]:
    """The net as it is, then without each of its blocks in turn.

    What comes before a block is the same as in the net as it is, and is computed once.

    Args:
        swaps: also swap each block with its neighbour, where both have one shape.
        done: operations to leave out, since their scores are there already.
    """
    model.eval()
    blocks = find_blocks(model.network)
    x = _stem(model, split)
    if Operation() not in done:
        yield _scored(model, split, name, Operation(), x, [b.module for b in blocks])
    for place, block in enumerate(blocks):
        for operation in _operations_at(blocks, place, swaps):
            if operation not in done:
                steps = operate(model.network, operation)[place:]
                yield _scored(model, split, name, operation, x, steps)
        x = _forward(x, [block.module])


def _operations_at(blocks: Sequence[Block], place: int, swaps: bool) -> list[Operation]:
    block = blocks[place]
    wanted = [Operation(off=(block.number,))]
    if swaps and place + 1 < len(blocks) and blocks[place + 1].shape == block.shape:
        wanted.append(Operation(swapped=((block.number, block.number + 1),)))
    return wanted


def check_operation(blocks: Sequence[Block], operation: Operation) -> None:
    """Raises ConfigError for a block that is not there, or a swap of blocks of different shapes."""
    named = [*operation.off, *(number for pair in operation.swapped for number in pair)]
    if missing := sorted({number for number in named if not 1 <= number <= len(blocks)}):
        raise ConfigError(
            f"There is no block {', '.join(map(str, missing))}: this net's blocks are "
            f"1 to {len(blocks)}."
        )
    for first, second in operation.swapped:
        if blocks[first - 1].shape != blocks[second - 1].shape:
            raise ConfigError(
                f"Blocks {first} and {second} can't be swapped, their shapes differ: choose two "
                "of one stage, neither of which changes the shape."
            )


@torch.no_grad()
def _stem(model: PixelModel, split: Split) -> Tensor:
    chunks, stem = torch.split(split.images, CHUNK_IMAGES), _cifar(model.network).stem
    return torch.cat([stem(model.normalise(chunk)) for chunk in chunks])


@torch.no_grad()
def _forward(x: Tensor, steps: Sequence[Step]) -> Tensor:
    outputs = []
    for chunk in torch.split(x, CHUNK_IMAGES):
        for step in steps:
            chunk = step(chunk)
        outputs.append(chunk)
    return torch.cat(outputs)


@torch.no_grad()
def _scored(
    model: PixelModel, split: Split, name: str, operation: Operation, x: Tensor, steps: list[Step]
) -> SurgeryScore:
    network = _cifar(model.network)
    logits = _forward(x, [*steps, network.pre_logits, network.classifier])
    wrong = (logits.argmax(1) != split.labels).sum().item()
    pairs = [number for pair in operation.swapped for number in pair]
    touched = [b for b in find_blocks(network) if b.number in (*operation.off, *pairs)]
    return SurgeryScore(
        model=name,
        off=operation.off,
        swapped=operation.swapped,
        stage=touched[0].stage if touched else 0,
        changes_shape=any(block.changes_shape for block in touched),
        error_percent=100 * wrong / len(split),
        loss=F.cross_entropy(logits.double(), split.labels).item(),
    )


def _cifar(network: nn.Module) -> Network:
    if not isinstance(network, Network):
        raise ConfigError(ONLY_CIFAR_NETS)
    return network


def _conv(module: nn.Module, name: str) -> nn.Conv2d:
    conv = getattr(module, name)
    assert isinstance(conv, nn.Conv2d)
    return conv
