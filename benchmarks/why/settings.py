"""What each analysis is asked: frozen, with the commands that ask it. No torch, no plotly."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from resnet_core.errors import ConfigError
from resnet_core.options import as_words

SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "studies" / "analysis"
TRAINED = ("plain20", "resnet20_v1", "plain56", "resnet56_v1")
DEEPEST = ("plain56", "resnet56_v1")
ALL_TRAINED = (*TRAINED, "resnet110_v1")


@dataclass(frozen=True)
class Settings:
    """What all analyses are asked."""

    analysis: ClassVar[str] = ""
    question: ClassVar[str] = ""
    default_models: ClassVar[tuple[str, ...]] = TRAINED

    models: tuple[str, ...] = ()
    """Nets to look at."""
    images: int = 1000
    """Images to measure on, drawn by the seed; 0 for all."""
    seed: int = 0
    """Seed of everything that is drawn."""

    def words(self) -> list[str]:
        """The command line that asks this, after `python -m benchmarks why`."""
        words = [self.analysis, *self.models]
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name != "models" and value not in (None, ()):
                words += as_words(field.name, value)
        return words

    @property
    def command(self) -> str:
        return shlex.join(["python", "-m", "benchmarks", "why", *self.words()])

    def to_dict(self) -> dict[str, Any]:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}


@dataclass(frozen=True)
class GradientSettings(Settings):
    """Gradients by layer at a net's random start."""

    analysis = "gradients"
    question = (
        "how large is the gradient in each layer before training, with and without batch norm?"
    )
    default_models = (
        "plain20", "plain56", "plain110", "resnet20_v1", "resnet56_v1", "resnet110_v1",
    )  # fmt: skip

    images: int = 128
    """Training images in the one batch."""
    data: str = "cifar10"
    """Data set the images come from."""
    starts: int = 3
    """Random starts of each net."""


@dataclass(frozen=True)
class ResponseSettings(Settings):
    """Standard deviations of layers' outputs."""

    analysis = "responses"
    question = "how strongly does each layer of a trained net respond?"
    default_models = ALL_TRAINED


@dataclass(frozen=True)
class SurgerySettings(Settings):
    """Blocks switched off or swapped."""

    analysis = "surgery"
    question = "what does a trained net lose when one of its blocks is switched off?"

    swaps: bool = False
    """Also swap each block with its neighbour of the same shape."""
    off: str | None = None
    """Only this: switch these blocks off, numbers with commas between, such as 3,4."""
    swap: str | None = None
    """Only this: swap these blocks, such as 2-5, pairs with commas between."""


@dataclass(frozen=True)
class LandscapeSettings(Settings):
    """A slice of the loss surface."""

    analysis = "landscape"
    question = "what does the loss look like around a trained net?"
    default_models = DEEPEST

    images: int = 500
    """Training images whose loss is drawn."""
    points: int = 9
    """Points a side of the grid: 5, 9, 17, 33 or 65; coarse ones come first."""
    span: float = 1.0
    """How far to go each way; 1 adds to each filter one of its own length."""


@dataclass(frozen=True)
class EnsembleSettings(Settings):
    """Trained nets averaged."""

    analysis = "ensemble"
    question = "how much better are several trained nets together?"
    default_models = ALL_TRAINED

    images: int = 0
    """Images to measure on, drawn by the seed; 0 for all."""


ANALYSES: dict[str, type[Settings]] = {
    kind.analysis: kind
    for kind in (
        GradientSettings,
        SurgerySettings,
        LandscapeSettings,
        ResponseSettings,
        EnsembleSettings,
    )
}


def default_settings(analysis: str) -> Settings:
    """What the shipped results were asked."""
    kind = ANALYSES[analysis]
    settings = kind(models=kind.default_models)
    return replace(settings, swaps=True) if isinstance(settings, SurgerySettings) else settings


def parse_blocks(text: str | None) -> tuple[int, ...]:
    """`3,4` → (3, 4).

    Raises:
        ConfigError: not numbers with commas between.
    """
    try:
        return tuple(int(word) for word in (text or "").split(",") if word.strip())
    except ValueError:
        raise ConfigError(f"'{text}' names no blocks: write their numbers, such as 3,4.") from None


def parse_pairs(text: str | None) -> tuple[tuple[int, int], ...]:
    """`2-5,7-8` → ((2, 5), (7, 8)).

    Raises:
        ConfigError: not pairs of numbers.
    """
    pairs = []
    for word in (text or "").split(","):
        if not word.strip():
            continue
        numbers = word.split("-")
        if len(numbers) != 2 or not all(number.strip().isdigit() for number in numbers):
            raise ConfigError(f"'{text}' names no pairs of blocks: write them such as 2-5,7-8.")
        pairs.append((int(numbers[0]), int(numbers[1])))
    return tuple(pairs)
