"""Compiling a net block by block: its blocks are few kinds, repeated, so a deep net takes no longer.

What is compiled for a block of one shape serves all blocks of that shape, in every net of the
process. Compiling a step as a whole takes minutes at a hundred layers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from resnet_core.models.network import Network

MOST_SHAPES = 64  # of one kind of block, in all nets of a process


def compile_blocks(network: nn.Module) -> None:
    """Let the blocks of a CIFAR net train compiled; they are evaluated as they are."""
    if not isinstance(network, Network):
        return
    for stage in (network.stage1, network.stage2, network.stage3):
        for block in stage:
            block.forward = _Forward(block)


class _Forward:
    """A block's forward: compiled while it learns."""

    def __init__(self, block: nn.Module):
        self._block = block
        self._eager = type(block).forward

    def __call__(self, x: Tensor) -> Tensor:
        learns = self._block.training and torch.is_grad_enabled()
        forward = _compiled(self._eager) if learns else self._eager
        return forward(self._block, x)


@cache
def _compiled(forward: Callable[..., Any]) -> Callable[..., Any]:
    torch._dynamo.config.recompile_limit = MOST_SHAPES
    return torch.compile(forward, fullgraph=True, dynamic=False)
