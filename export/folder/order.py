"""What a person asks for when a folder is classified. Light to import: command lines read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resnet_core.errors import ConfigError

BATCH_SIZE = 64


@dataclass(frozen=True)
class Order:
    """What to classify, with what, and where to write it."""

    sources: tuple[Path, ...]
    table: Path
    model: str
    engine: str = ""
    """As `open_engine` takes it; empty for the fastest that agrees."""
    top_k: int = 5
    batch_size: int = BATCH_SIZE
    again: bool = False
    """Start the table over."""

    def check(self) -> None:
        """Raises ConfigError with every problem."""
        problems = [
            f"--{name} should be at least 1, not {value}."
            for name, value in (("top-k", self.top_k), ("batch-size", self.batch_size))
            if value < 1
        ]
        if problems:
            raise ConfigError(problems)
