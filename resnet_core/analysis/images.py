"""Which images an analysis may look at.

The test images are for final figures, read once. Whoever plays with a net (switches blocks off,
looks at its loss) does so on images that were set aside from training, where there are any.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from resnet_core.data.dataset import Dataset, Split, hold_out
from resnet_core.errors import ConfigError
from resnet_core.files import read_json
from resnet_core.training.find import FoundModel
from resnet_core.zoo import zoo_entries

Aside = tuple[int, int]
"""How many validation images were set aside, and by which seed."""
NONE_ASIDE: Aside = (0, 0)


@dataclass(frozen=True)
class ChosenImages:
    """Images to measure on, and what they are."""

    split: Split
    name: str
    """training, validation or test."""
    reason: str
    """One sentence that says why these."""


def training_images(dataset: Dataset, count: int, seed: int) -> ChosenImages:
    """`count` of the images to learn from (0: all), drawn by `seed`."""
    return ChosenImages(
        take_some(dataset.train, count, seed), "training", "They are what the nets learn from."
    )


def unseen_images(
    models: Sequence[FoundModel], dataset: Dataset, count: int, seed: int
) -> ChosenImages:
    """Images that none of the models was trained on, the same for all of them.

    They are the validation images where all models set the same ones aside, else test images:
    those that one net learnt from would flatter it beside the others.

    Args:
        count: how many, drawn by `seed`; 0 for all.
    """
    validation = common_validation(models, dataset)
    if validation is not None:
        reason = "Set aside from the training of every net here."
        return ChosenImages(take_some(validation, count, seed), "validation", reason)
    return ChosenImages(take_some(dataset.test, count, seed), "test", _why_test(models))


def _why_test(models: Sequence[FoundModel]) -> str:
    if len(models) > 1:
        return "The nets set no common validation images aside from their training."
    if _own_aside(_facts(models[0].folder)) != NONE_ASIDE:
        return "The net started from one that learned from the images it set aside, or may have."
    return "The net was trained on all training images."


def common_validation(models: Sequence[FoundModel], dataset: Dataset) -> Split | None:
    """The validation images that all models set aside; None where they differ or one has none."""
    asides = {_set_aside(model.folder, dataset.name) for model in models}
    return _validation(asides.pop(), dataset) if len(asides) == 1 else None


def validation_images(folder: Path, dataset: Dataset) -> Split | None:
    """The validation images that a shipped model or a run set aside; None where it set none aside,
    or may know them from the model that it started from.

    Args:
        folder: of the zoo, or a run's.
        dataset: what it was trained on.
    """
    return _validation(_set_aside(folder, dataset.name), dataset)


def _validation(aside: Aside, dataset: Dataset) -> Split | None:
    _, held_out = hold_out(dataset, *aside)
    return held_out if len(held_out) else None


def take_some(split: Split, count: int, seed: int) -> Split:
    """`count` images in an order drawn by `seed`, the same for the same seed; 0 for all as they stand.

    Raises:
        ConfigError: a negative count.
    """
    if count < 0:
        raise ConfigError(f"{count} images can't be measured: choose 1 or more, or 0 for all.")
    if count == 0 or count >= len(split):
        return split
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
    return split.take(order[:count])


def _set_aside(folder: Path, data: str) -> Aside:
    """Which images of `data` no training of this model learned from.

    A net that starts from a trained one knows what that one learned from, and so on back to the
    first. A start of which nothing is known may have learned from anything.
    """
    facts, walked = _facts(folder), {folder}
    aside = _own_aside(facts)
    while aside != NONE_ASIDE and (start := facts.get("start")):
        folder = _folder_of(start)
        facts = _facts(folder)
        if not facts or folder in walked:
            return NONE_ASIDE
        walked.add(folder)
        if facts.get("data", data) == data and _own_aside(facts) != aside:
            return NONE_ASIDE
    return aside


def _facts(folder: Path) -> dict[str, Any]:
    """What a model's card or a run's config says; empty where there is neither."""
    for name in ("card.json", "config.json"):
        if (folder / name).is_file():
            facts: dict[str, Any] = read_json(folder / name)
            return facts
    return {}


def _own_aside(facts: dict[str, Any]) -> Aside:
    """What the model's own recipe set aside."""
    count = int(facts.get("recipe", {}).get("validation_images", 0))
    return (count, int(facts.get("split_seed", 0))) if count else NONE_ASIDE


def _folder_of(start: dict[str, Any]) -> Path:
    """Where a start's weights lay; a shipped model is looked up where this project now is."""
    folder = Path(start["file"]).parent
    if not _facts(folder):
        return next((e.folder for e in zoo_entries() if e.name == start["name"]), folder)
    return folder
