"""A training run, fully said: what `config.json` of a run folder holds."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from resnet_core.errors import ConfigError, RunError
from resnet_core.models.config import ModelConfig
from resnet_core.training.recipes import Recipe
from resnet_core.training.start import Start

MOST_SEED = 2**63  # what PyTorch's generators take
MOST_THREADS = 4096
DATA_FOLDER_HELP = "where cifar10.npz is or will be stored (default: $RESNET_LAB_DATA or ./data)"
PRECISIONS = ("auto", "fp32", "bf16")
SWITCHES = ("auto", "on", "off")
# The fields below that are options of a command line by themselves, seed first.
RUN_OPTIONS = (
    "seed",
    "split_seed",
    "device",
    "precision",
    "compile",
    "threads",
    "checkpoint_seconds",
    "tensorboard",
)


@dataclass(frozen=True)
class TrainConfig:
    """One run: the net, what it learns from, how, and on what."""

    model: ModelConfig
    """The network."""
    data: str
    """Data set: cifar10, shapes, or own/NAME for prepared own images."""
    recipe: Recipe
    """How it is trained."""
    data_folder: str
    """Folder that holds, or will hold, downloaded data."""
    start: Start | None = None
    """Model to start from instead of random weights: its net, normalisation and all weights but the head's."""
    seed: int = 0
    """Seed of the initial weights, the order of images and their augmentation."""
    split_seed: int = 0
    """Seed that chooses the validation images; the same for all runs to be compared."""
    device: str = "auto"
    """Where to compute: auto, cpu or cuda."""
    precision: str = "auto"
    """Number format of convolutions: auto, fp32 or bf16."""
    compile: str = "auto"
    """Whether to compile the step, or kernels for it: auto (where it pays back), on or off."""
    threads: int = 0
    """CPU threads, 0 for all."""

    checkpoint_seconds: float = 30.0
    """Seconds of training between checkpoints within an epoch; each epoch's end has its own."""
    tensorboard: bool = False
    """Write the run's figures for TensorBoard too, into its folder `tensorboard`."""
    devices: int = 1
    """Processes that train together, one a device; torchrun says how many."""

    def __post_init__(self) -> None:
        problems = []
        if self.threads < 0:
            problems.append(f"The number of threads can't be negative, found {self.threads}.")
        if self.start is None and self.recipe.train_part != "all":
            problems.append(
                f"Training the {self.recipe.train_part.replace('_', ' ')} alone needs trained weights "
                "beneath it: choose a model to start from (--from), or train all parts."
            )
        if self.checkpoint_seconds < 0:
            problems.append(
                f"Time between checkpoints can't be {self.checkpoint_seconds:g} seconds."
            )
        if not isfinite(self.checkpoint_seconds):
            problems.append("Time between checkpoints should be a number of seconds.")
        if self.threads > MOST_THREADS:
            problems.append(f"Threads can be {MOST_THREADS} at the most, not {self.threads}.")
        for name, known in (("precision", PRECISIONS), ("compile", SWITCHES)):
            if (said := getattr(self, name)) not in known:
                problems.append(f"Unknown {name} '{said}': choose one of {', '.join(known)}.")
        for name in ("seed", "split_seed"):
            if not -MOST_SEED <= getattr(self, name) < MOST_SEED:
                problems.append(f"A {name} should be a whole number of at most 63 bits.")
        if problems:
            raise ConfigError(problems)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """Rebuild a stored config.

        Raises:
            RunError: it was written by a version with other fields.
        """
        try:
            return cls(
                **{
                    **values,
                    "model": ModelConfig.from_dict(values["model"]),
                    "recipe": Recipe.from_dict(values["recipe"]),
                    "start": Start(**values["start"]) if values.get("start") else None,
                }
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise RunError(f"This run's config does not fit this version ({error}).") from None


def default_data_folder() -> Path:
    """`$RESNET_LAB_DATA`, else `data` here."""
    return Path(os.environ.get("RESNET_LAB_DATA", "data"))


def default_runs_folder() -> Path:
    """`$RESNET_LAB_RUNS`, else `runs` here."""
    return Path(os.environ.get("RESNET_LAB_RUNS", "runs"))
