"""What is known of a net for photos: what was counted, and how long it took. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

INPUT_SIZE = 224
CLASSES = 1000


@dataclass(frozen=True)
class CountedNet:
    """One net, counted on the net itself: 1000 classes, one photo of 224 x 224."""

    name: str
    title: str
    family: str
    layers: int
    """Layers with weights on the longest path, counted."""
    params: int
    multiply_adds: int
    """Of convolutions and linear layers, as He et al. count."""
    paper_billions: float | None
    """The multiply-adds that He et al. give for it, in billions (they write FLOPs)."""
    paper: str

    @property
    def billions(self) -> float:
        """Multiply-adds in billions."""
        return self.multiply_adds / 1e9

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class TimedNet:
    """How long one photo took a net with random weights: the answer means nothing, the time does."""

    name: str
    rounds_ms: tuple[float, ...]
    """One forward pass of each round, in milliseconds; in a round all nets have their turn."""
    median_ms: float
    low_ms: float
    """Of the median's 95 % bootstrap interval."""
    high_ms: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)
