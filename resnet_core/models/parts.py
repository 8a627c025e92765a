"""A network as its parts in order, from pixels to logits: stem, stages, head."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Part:
    """A stretch of a network; all parts, called in turn, are its forward pass."""

    name: str
    """stem, stage1, stage2, …, head."""
    modules: tuple[nn.Module, ...]
    """What it is made of, in the order of calls."""

    def __call__(self, x: Tensor) -> Tensor:
        for module in self.modules:
            x = module(x)
        return x

    def parameters(self) -> Iterator[nn.Parameter]:
        for module in self.modules:
            yield from module.parameters()


class Tail(nn.Module):
    """The last parts of a network as a net of their own, with the very same parameters."""

    def __init__(self, parts: tuple[Part, ...]):
        super().__init__()
        self.parts = nn.ModuleList(module for part in parts for module in part.modules)

    def forward(self, x: Tensor) -> Tensor:
        for module in self.parts:
            x = module(x)
        return x
