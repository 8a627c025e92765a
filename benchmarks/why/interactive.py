"""Skip surgery fast enough to play with: net and images stay in memory between two questions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from benchmarks.why.measure import Places
from resnet_core.analysis.images import ChosenImages, unseen_images
from resnet_core.analysis.surgery import Operation, score_after
from resnet_core.data.dataset import load_dataset
from resnet_core.errors import ConfigError, DataError, ModelError
from resnet_core.locate import locate_model
from resnet_core.models.network import PixelModel
from resnet_core.training.find import find_model
from resnet_core.training.run import misfits

QUICK_IMAGES = 500

Version = tuple[int, int]
"""When weights were written, in nanoseconds, and their bytes: a run that goes on replaces them."""


@dataclass(frozen=True)
class QuickScore:
    """Error of a net as trained and after an operation, in percent, on the same images."""

    whole_percent: float
    after_percent: float
    images: int
    split: str


def quick_surgery(name: str, operation: Operation, places: Places) -> QuickScore:
    """Operate on a trained net and measure it on a few hundred images it was not trained on.

    Raises:
        LabError: a net or data that is not there, or an operation that does not fit.
    """
    version = _version(name, places)
    model, chosen = _subject(name, places, version)
    after = score_after(model, chosen.split, operation, name)
    whole_percent = _whole_percent(name, places, version)
    return QuickScore(whole_percent, after.error_percent, len(chosen.split), chosen.name)


def _version(name: str, places: Places) -> Version:
    file = locate_model(name, places.runs).weights_file
    try:
        facts = file.stat()
    except OSError as error:
        raise ModelError(
            f"{file} can't be read ({error.strerror}): choose another net, or train it again."
        ) from None
    return facts.st_mtime_ns, facts.st_size


@lru_cache(maxsize=4)
def _subject(name: str, places: Places, _version: Version) -> tuple[PixelModel, ChosenImages]:
    """Kept until its weights change."""
    found = find_model(name, places.runs)
    if found.data == "cifar10" and not (Path(places.data_folder) / "cifar10.npz").is_file():
        raise DataError(
            f"CIFAR-10 is not in {places.data_folder} yet: train a net on it once, which fetches it."
        )
    dataset = load_dataset(found.data, places.data_folder)
    if problems := misfits(found.saved.model.config, dataset):
        raise ConfigError(problems)
    return found.saved.model, unseen_images([found], dataset, QUICK_IMAGES, seed=0)


@lru_cache(maxsize=4)
def _whole_percent(name: str, places: Places, version: Version) -> float:
    model, chosen = _subject(name, places, version)
    return score_after(model, chosen.split, Operation(), name).error_percent
