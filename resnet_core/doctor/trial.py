"""Which normalisation fits a net: each is tried on labelled images that are no test images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from resnet_core.data.dataset import Dataset, split_validation
from resnet_core.doctor.normalisation import Normalisation, usual_normalisations
from resnet_core.errors import ConfigError
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import PixelModel
from resnet_core.training.evaluate import evaluate
from resnet_core.training.hardware import choose_hardware
from resnet_core.training.run import misfits

TRIAL_IMAGES = 2_000
# Of a guess's error: a net that is read rightly is far below, one that is read wrongly is not.
FITS_BELOW = 0.75


@dataclass(frozen=True)
class Tried:
    """One reading of a net with one normalisation, and how it did."""

    config: ModelConfig
    normalisation: Normalisation
    error_percent: float
    loss: float


@dataclass(frozen=True)
class Trial:
    """All that was tried, the best first."""

    rows: tuple[Tried, ...]
    data: str
    images: int
    classes: int

    @property
    def best(self) -> Tried:
        return self.rows[0]

    def best_with(self, given: Normalisation | None) -> Tried:
        """The best, among those with the normalisation that was given if one was."""
        name = (given or self.best.normalisation).name
        return next(row for row in self.rows if row.normalisation.name == name)

    def fits(self, row: Tried) -> bool:
        """Whether it is clearly better than guessing."""
        return row.error_percent < FITS_BELOW * 100 * (1 - 1 / self.classes)

    @property
    def rivals(self) -> tuple[Tried, ...]:
        """Others that so few images can't tell from the best: within two standard errors."""
        share = max(self.best.error_percent / 100, 1 / self.images)
        margin = 2 * 100 * (2 * share * (1 - share) / self.images) ** 0.5
        limit = self.best.error_percent + margin
        return tuple(row for row in self.rows[1:] if row.error_percent <= limit)

    @property
    def said(self) -> str:
        """On what it was tried."""
        return f"{self.images:,} of {self.data}'s training images"

    def to_dict(self) -> list[dict[str, object]]:
        return [
            {
                "model": row.config.name,
                "normalisation": row.normalisation.name,
                "error_percent": row.error_percent,
                "loss": row.loss,
            }
            for row in self.rows
        ]


def try_normalisations(
    states: Sequence[tuple[ModelConfig, dict[str, Tensor]]],
    dataset: Dataset,
    given: Normalisation | None,
) -> Trial:
    """Score every reading of a net with every usual normalisation.

    The images are of the training split: the net may have learned from them, so the errors tell
    normalisations apart and say nothing of how good it is.

    Args:
        states: the nets that the file can be, with their weights.
        given: another normalisation to try with the usual ones.

    Raises:
        ConfigError: the net takes other pictures, or tells another number of classes apart.
    """
    if problems := misfits(states[0][0], dataset):
        raise ConfigError(problems)
    images = min(TRIAL_IMAGES, len(dataset.train) // 5)
    hardware = choose_hardware("auto", "fp32", "off", 0)
    held_out = split_validation(dataset.train, images, seed=0)[1].to(hardware.device)
    rows = []
    usual = usual_normalisations(dataset.name, dataset.train)
    known = {normalisation.name for normalisation in usual}
    for normalisation in [*usual, *([given] if given and given.name not in known else [])]:
        for config, state in states:
            model = build(config, state, normalisation).to(hardware.device)
            score = evaluate(model, held_out, hardware)
            rows.append(Tried(config, normalisation, score.error_percent, score.loss))
    rows.sort(key=lambda row: (row.error_percent, row.loss))
    return Trial(tuple(rows), dataset.name, images, len(dataset.class_names))


def build(
    config: ModelConfig, state: dict[str, Tensor], normalisation: Normalisation
) -> PixelModel:
    """The model with these weights, in evaluation mode on the CPU."""
    with torch.random.fork_rng(devices=[]):  # its first weights are drawn, then replaced
        model = PixelModel(config, normalisation.mean, normalisation.std)
    model.network.load_state_dict(state, strict=True)
    return model.eval()
