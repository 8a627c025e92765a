"""Recipes: how a net is trained, as data. A recipe names its source; `fast` and `taste` are ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from math import isfinite
from typing import Any

from resnet_core.errors import ConfigError

MOST_EPOCHS = 1_000_000
LEAST_STEP_IMAGES = 8  # batch norm needs some to estimate by
LEAST_STEPS_AN_EPOCH = 20  # with fewer, a run of a few epochs hardly moves the weights
OPTIMIZERS = ("sgd", "adam", "muon")
SCHEDULES = ("one_cycle", "drops")
AUGMENTATIONS = ("crop_flip", "shift_flip", "flip", "none")
NORMALISATIONS = ("per_channel", "per_pixel_mean")
DECAYS = ("all", "weights", "conv_l2")
KEEPS = ("last", "best")
TRAIN_PARTS = ("all", "last_stage", "head")
CHOICES = {
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
    "augmentation": AUGMENTATIONS,
    "normalisation": NORMALISATIONS,
    "decay": DECAYS,
    "keep": KEEPS,
    "train_part": TRAIN_PARTS,
}


@dataclass(frozen=True)
class Recipe:
    """Every choice of a training run, with its unit."""

    name: str
    """What the recipe is called."""
    epochs: float
    """How long to train, in passes over the training images."""
    batch_size: int
    """Images in one step."""
    optimizer: str
    """sgd, adam, or muon (orthogonalised momentum for convolution kernels, sgd for the rest)."""
    lr: float
    """Peak learning rate."""
    schedule: str
    """one_cycle: rise, then a cosine to zero. drops: factors at given points."""
    weight_decay: float
    """Strength of L2 regularisation, as added to the gradient."""
    decay: str
    """What decays: all parameters, weights (no biases, no batch norm), or conv_l2 (convolution kernels)."""
    augmentation: str
    """crop_flip (pad 4), shift_flip (10%, nearest fill), flip or none."""
    normalisation: str
    """per_channel mean and deviation, or per_pixel_mean subtracted; from a trained start, as that has it."""
    muon_lr: float = 0.015
    """muon: angle, in radians, that a convolution kernel turns by in a step at the peak."""
    momentum: float = 0.9
    """Momentum of sgd and muon."""
    nesterov: bool = False
    """Whether sgd looks ahead (Nesterov)."""
    label_smoothing: float = 0.0
    """Share of each label spread over all classes, 0 to 1."""
    warmup_share: float = 0.0
    """one_cycle: share of the run over which the rate rises."""
    drop_points: tuple[float, ...] = ()
    """drops: shares of the run after which the rate is multiplied by the next factor."""
    drop_factors: tuple[float, ...] = ()
    """drops: the rate's factors after each point, of the peak rate."""
    warmup_lr: float | None = None
    """drops: rate to begin with, until a whole batch window's error is under warmup_until_error_percent."""
    warmup_until_error_percent: float = 80.0
    """drops with warmup_lr: training error, in percent, that ends the warm-up."""
    validation_images: int = 5000
    """Training images set aside to measure on; a tenth of the training images at the most."""
    keep: str = "last"
    """Which weights are the result: the last epoch's or those best on the validation images."""
    train_part: str = "all"
    """What learns: all, last_stage (and the head), or head (the classifier alone). The parts before stay as they are, batch norm too."""
    stage_lr_factor: float = 1.0
    """Learning rate of a stage as a share of the next one's, from the head down to the stem; 1: the same for all (discriminative fine-tuning, arXiv 1801.06146 §3.2)."""
    source: str = ""
    """Where the recipe comes from."""

    def __post_init__(self) -> None:
        problems = [
            f"Unknown {name} '{getattr(self, name)}': choose one of {', '.join(known)}."
            for name, known in CHOICES.items()
            if getattr(self, name) not in known
        ]
        if not 0 < self.epochs <= MOST_EPOCHS:
            problems.append(
                f"A run has more than 0 and at most {MOST_EPOCHS:,} epochs, not {self.epochs:g}."
            )
        problems += [
            f"{name} should be a number, not {value}."
            for name, value in _numbers(self)
            if not isfinite(value)
        ]
        if self.batch_size < 1:
            problems.append(f"A step needs at least 1 image, not {self.batch_size}.")
        if not 0 < self.lr < 100:
            problems.append(f"The learning rate should be between 0 and 100, not {self.lr:g}.")
        if not 0 < self.stage_lr_factor <= 1:
            problems.append(
                f"A stage's share of the next one's learning rate should be above 0 and at most 1, "
                f"not {self.stage_lr_factor:g}."
            )
        if self.weight_decay < 0:
            problems.append(f"Weight decay can't be negative, found {self.weight_decay:g}.")
        if not 0 <= self.label_smoothing < 1:
            problems.append(
                f"Label smoothing should be 0 to below 1, not {self.label_smoothing:g}."
            )
        problems += [*_momentum_problems(self), *_schedule_problems(self)]
        if self.validation_images < 0:
            problems.append(f"Validation images can't be negative, found {self.validation_images}.")
        if self.keep == "best" and self.validation_images == 0:
            problems.append(
                "Keeping the best epoch needs validation images: set some aside or keep the last."
            )
        if problems:
            raise ConfigError(problems)

    def changed(self, **changes: Any) -> Recipe:
        """The same recipe with some fields changed; None means unchanged."""
        return replace(self, **{k: v for k, v in changes.items() if v is not None})

    def changes_from(self, other: Recipe) -> dict[str, Any]:
        """The fields in which this recipe differs from another, with this one's values."""
        mine = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: value for name, value in mine.items() if value != getattr(other, name)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Recipe:
        known = {f.name for f in fields(cls)}
        chosen: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items() if k in known
        }
        return cls(**chosen)


def _numbers(recipe: Recipe) -> Iterator[tuple[str, float]]:
    """Its fields that are numbers, or lists of them, one by one."""
    for name in (f.name for f in fields(recipe)):
        value = getattr(recipe, name)
        yield from (
            (name, each)
            for each in (value if isinstance(value, tuple) else (value,))
            if isinstance(each, int | float)
        )


def _momentum_problems(recipe: Recipe) -> Iterator[str]:
    if not 0 <= recipe.momentum < 1:
        yield f"Momentum should be 0 to below 1, not {recipe.momentum:g}."
    if recipe.nesterov and recipe.momentum == 0 and recipe.optimizer != "adam":  # reads neither
        yield "Looking ahead (Nesterov) needs a momentum above 0: raise it, or turn Nesterov off."


def _schedule_problems(recipe: Recipe) -> Iterator[str]:
    if not 0 <= recipe.warmup_share < 1:  # of 1, nothing is left to fall over
        yield f"The share of the warm-up should be 0 to below 1, not {recipe.warmup_share:g}."
    if recipe.muon_lr <= 0:
        yield f"Muon's learning rate should be above 0, not {recipe.muon_lr:g}."
    if recipe.warmup_lr is not None and recipe.warmup_lr <= 0:
        yield f"The learning rate of the warm-up should be above 0, not {recipe.warmup_lr:g}."
    points, factors = recipe.drop_points, recipe.drop_factors
    if any(not 0 <= point <= 1 for point in points) or any(a >= b for a, b in pairwise(points)):
        yield f"The points of drop_points should rise within 0 to 1, not {_listed(points)}."
    if any(factor < 0 for factor in factors):
        yield f"The factors of drop_factors can't be negative, found {_listed(factors)}."
    if len(points) != len(factors):
        yield "Each point of drop_points needs its factor in drop_factors."


def _listed(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:g}" for number in numbers)


_KERAS_POINTS = (81, 121, 161, 181)

_FAST = Recipe(
    name="fast",
    epochs=30,
    batch_size=128,
    optimizer="muon",
    lr=0.1,
    schedule="one_cycle",
    warmup_share=0.2,
    nesterov=True,
    label_smoothing=0.1,
    weight_decay=5e-4,
    decay="weights",
    augmentation="crop_flip",
    normalisation="per_channel",
    source="ResNet Lab",
)

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="paper",
            # 64,000 steps of 128 images; a pass over 45,000 has 351 whole batches.
            epochs=64_000 / 351,
            batch_size=128,
            optimizer="sgd",
            lr=0.1,
            schedule="drops",
            drop_points=(0.5, 0.75),
            drop_factors=(0.1, 0.01),
            weight_decay=1e-4,
            decay="all",
            augmentation="crop_flip",
            normalisation="per_pixel_mean",
            source="arXiv 1512.03385 §4.2",
        ),
        Recipe(
            name="tutorial",
            epochs=200,
            batch_size=32,
            optimizer="adam",
            lr=1e-3,
            schedule="drops",
            # "after epoch 80" is from the 82nd on: the example compares a count from zero with >.
            # Its ReduceLROnPlateau lowers the rate when an epoch ends, and its scheduler sets it
            # anew before the next begins, so no step ever sees the lowered rate: left out.
            drop_points=tuple(epoch / 200 for epoch in _KERAS_POINTS),
            drop_factors=(1e-1, 1e-2, 1e-3, 0.5e-3),
            # Keras adds 1e-4 * sum(w^2) to the loss; its gradient is 2e-4 * w.
            weight_decay=2e-4,
            decay="conv_l2",
            augmentation="shift_flip",
            normalisation="per_pixel_mean",
            keep="best",
            source="Keras examples, cifar10_resnet.py",
        ),
        _FAST,
        # Too short to overfit, so nothing is held back.
        _FAST.changed(name="taste", epochs=1.0, label_smoothing=0.0),
        Recipe(
            name="finetune",
            epochs=20,
            batch_size=32,
            optimizer="adam",
            # Of 1e-3, 3e-3 and 1e-2 the best for each part, on 1,000 other training images of
            # CIFAR-10 classes that a resnet8_v1 did not know, from 50 images a class.
            lr=1e-2,
            schedule="one_cycle",
            warmup_share=0.1,
            weight_decay=0.0,
            decay="weights",
            augmentation="flip",
            normalisation="per_channel",
            train_part="last_stage",
            stage_lr_factor=0.4,  # about 1 / 2.6, as arXiv 1801.06146 §3.2 has it
            source="ResNet Lab",
        ),
    )
}


def from_scratch() -> list[str]:
    """Names of the recipes that need no trained weights to start from."""
    return [name for name, recipe in RECIPES.items() if recipe.train_part == "all"]


def find_recipe(name: str) -> Recipe:
    """A recipe by name.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in RECIPES:
        raise ConfigError(f"There is no recipe named '{name}': choose one of {', '.join(RECIPES)}.")
    return RECIPES[name]


def fit_to_depth(recipe: Recipe, depth: int) -> Recipe:
    """The recipe as its source has it for a net this deep.

    arXiv 1512.03385 §4.2: a rate of 0.1 is slightly too large for 110 layers to start converging.
    """
    if recipe.name == "paper" and depth >= 110 and recipe.warmup_lr is None:
        return recipe.changed(warmup_lr=0.01)
    return recipe


def fitting_batch_size(train_images: int, wanted: int) -> int:
    """`wanted`, or the power of two below it that leaves a small data set enough steps an epoch."""
    most = max(1, min(train_images, max(LEAST_STEP_IMAGES, train_images // LEAST_STEPS_AN_EPOCH)))
    return wanted if wanted <= most else 2 ** (most.bit_length() - 1)


def fit_to_images(recipe: Recipe, train_images: int) -> Recipe:
    """The recipe with steps small enough for few images."""
    return recipe.changed(batch_size=fitting_batch_size(train_images, recipe.batch_size))
