"""What is measured: a model on an engine, with so many threads and images at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from export.engines.catalogue import ENGINES, Choice, find_engine
from export.engines.interface import ALL_THREADS
from resnet_core.errors import ConfigError

ALL = "all"
MOST_THREADS = 1024
"""More than any machine here has cores: libraries take minutes to start so many, or never end."""


@dataclass(frozen=True)
class Setup:
    """What one process holds open."""

    model: str
    choice: Choice
    threads: int
    """0 for all."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "engine": self.choice.engine.key,
            "precision": self.choice.precision,
            "threads": self.threads or ALL,
        }


def plan_setups(
    models: Sequence[str], engines: Sequence[str], threads: Sequence[str]
) -> list[Setup]:
    """Every model on every engine and precision with every number of threads.

    Args:
        engines: names, with a precision after a colon or all that the engine offers; or `all`.
        threads: numbers, or `all`.

    Raises:
        ConfigError: an engine or a number that does not exist.
    """
    names = ENGINES if ALL in engines else engines
    choices = [choice for name in names for choice in find_engine(name)]
    counts = [parse_threads(said) for said in threads]
    setups = (Setup(m, choice, count) for m in models for choice in choices for count in counts)
    # What is said twice, such as an engine by itself and at one precision, is measured once.
    return list({(s.model, s.choice.key, s.threads): s for s in setups}.values())


def parse_threads(said: str) -> int:
    """`2` → 2, `all` → 0.

    Raises:
        ConfigError: something else.
    """
    if said == ALL:
        return ALL_THREADS
    if not (said.isdecimal() and 1 <= int(said) <= MOST_THREADS):
        raise ConfigError(f"Threads are a number from 1 to {MOST_THREADS}, or all, not '{said}'.")
    return int(said)
