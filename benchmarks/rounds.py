"""Two rivals in turn, round by round, and what may be said of their ratio."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import inf
from statistics import median
from typing import Any

from resnet_core.errors import ConfigError


def check_rounds(rounds: int, seconds: float | None = None) -> None:
    """Raises ConfigError where nothing would be measured."""
    problems = [f"--rounds should be at least 1, not {rounds}."] if rounds < 1 else []
    if seconds is not None and not 0 < seconds < inf:
        problems.append(f"--seconds should be more than 0 and finite, not {seconds:g}.")
    if problems:
        raise ConfigError(problems)


@dataclass(frozen=True)
class Comparison:
    """Figures of two rivals, one of each a round, measured one right after the other.

    A slow phase of the machine falls on both, so each round's ratio holds when the figures drift.
    """

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratios(self) -> tuple[float, ...]:
        """Ours over theirs, by round."""
        return tuple(a / b for a, b in zip(self.ours, self.theirs, strict=True))

    def to_dict(self, unit: str) -> dict[str, Any]:
        """Medians, and the lowest and highest ratio, with the raw rounds."""
        return {
            f"ours_{unit}": median(self.ours),
            f"theirs_{unit}": median(self.theirs),
            "ratio": median(self.ratios),
            "ratio_lowest": min(self.ratios),
            "ratio_highest": max(self.ratios),
            "rounds": asdict(self),
        }
