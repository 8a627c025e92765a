"""What a measurement is asked, and the command line that asks it. No engines, no torch."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from resnet_core.errors import ConfigError


@dataclass(frozen=True)
class Method:
    """How long and how often."""

    batch_sizes: tuple[int, ...]
    """Images in one call."""
    rounds: int
    """Measurements of each case in each process."""
    processes: int
    """Times that every engine is started anew: memory and threads fall differently each time."""
    seconds: float
    """Of one measurement, warm-up apart."""


@dataclass(frozen=True)
class SpeedSettings:
    """The options of `python -m benchmarks throughput`, as they are said."""

    models: tuple[str, ...] = ("resnet20_v1",)
    """Shipped models or runs."""
    engines: tuple[str, ...] = ("all",)
    """All, or such as openvino-cpu:bf16."""
    batch_sizes: tuple[str, ...] = ("1", "8", "32", "128")
    """Images in one call."""
    threads: tuple[str, ...] = ("all",)
    """Such as 1,all."""
    rounds: int = 3
    """Measurements of each case in each process."""
    processes: int = 3
    """Times that every engine is started anew."""
    seconds: float = 1.0
    """Length of a measurement."""
    gate_images: int = 10_000
    """Test images whose answers are compared before any speed is measured."""

    def words(self) -> list[str]:
        """What stands after `python -m benchmarks`."""
        words = ["throughput"]
        for name, value in asdict(self).items():
            said = ",".join(value) if isinstance(value, tuple) else f"{value:g}"
            words += [f"--{name.replace('_', '-')}", said]
        return words

    @property
    def command(self) -> str:
        return shlex.join(["python", "-m", "benchmarks", *self.words()])

    def to_dict(self) -> dict[str, Any]:
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    def method(self) -> Method:
        """Numbers for what was said.

        Raises:
            ConfigError: every option that makes no sense, at once.
        """
        problems = [
            f"--{name.replace('_', '-')} should be at least 1, not {getattr(self, name)}."
            for name in ("rounds", "processes", "gate_images")
            if getattr(self, name) < 1
        ]
        problems += [
            f"--{name.replace('_', '-')} is empty: name one or more."
            for name in ("models", "engines", "batch_sizes", "threads")
            if not getattr(self, name)
        ]
        if not 0 < self.seconds < inf:
            problems.append(f"--seconds should be more than 0 and finite, not {self.seconds:g}.")
        if wrong := _not_counts(self.batch_sizes):
            problems.append(f"Batch sizes are whole numbers from 1, not {', '.join(wrong)}.")
        if problems:
            raise ConfigError(problems)
        sizes = tuple(dict.fromkeys(int(size) for size in self.batch_sizes))
        return Method(sizes, self.rounds, self.processes, self.seconds)


def split_words(text: str) -> tuple[str, ...]:
    """`1, 8,32` → 1, 8 and 32."""
    return tuple(word for word in text.replace(" ", "").split(",") if word)


def _not_counts(said: Sequence[str]) -> list[str]:
    return [word for word in said if not word.isdecimal() or int(word) < 1]
