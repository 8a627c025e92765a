"""Published weights made a model that answers: fetched, checked, imported, exported, proven.

Every step that is done already is left out, so the same command goes on after a kill.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resnet_core.errors import ModelError
from resnet_core.events import Event
from resnet_core.pretrained.download import Source, fetch_file
from resnet_core.pretrained.table import ACCURACY_SOURCE, LICENCE, URL, Weights
from resnet_core.training.config import default_data_folder
from resnet_core.zoo import IMPORTED, ZooEntry, find_imported

ADDRESS = "RESNET_LAB_WEIGHTS_URL"
"""The environment's variable for another server of the same files."""
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Places:
    """Where weights come from and where they go."""

    weights_folder: Path
    runs: Path
    url: str = URL
    timeout_seconds: float = TIMEOUT_SECONDS

    def file(self, weights: Weights) -> Path:
        return (self.weights_folder / weights.file_name).resolve()

    def source(self, weights: Weights) -> Source:
        url = f"{self.url.rstrip('/')}/{weights.file_name}"
        return Source(url, weights.size_bytes, weights.sha256_start)


@dataclass(frozen=True)
class Working(Event):
    """A step that takes a while begins."""

    kind = "working"
    step: str
    """In words, such as `checking the file`."""


@dataclass(frozen=True)
class Fetched(Event):
    """The model is there, proven equal to PyTorch's."""

    kind = "fetched"
    model: str
    folder: str
    proof: str


def default_weights_folder() -> Path:
    return default_data_folder() / "weights"


def default_url() -> str:
    return os.environ.get(ADDRESS, URL)


def is_fetched(weights: Weights, runs: Path) -> bool:
    """Whether the model is there and can be used."""
    return (runs / IMPORTED / weights.model_name / "model.onnx").is_file()


def fetch_model(weights: Weights, places: Places) -> Iterator[Event]:
    """Fetch one file of weights and make a model of it.

    Yields:
        Progress, and at the end `Fetched`.

    Raises:
        LabError: a step failed, and what to do.
    """
    name = weights.model_name
    folder = places.runs / IMPORTED / name
    if is_fetched(weights, places.runs):
        yield Fetched(name, str(folder), "it was here already")
        return
    try:
        if not (folder / "card.json").is_file():
            yield from fetch_file(
                places.source(weights), places.file(weights), places.timeout_seconds
            )
            yield Working("reading and checking the weights")
            _import(weights, places)
        yield Working("exporting, and comparing with PyTorch")
        yield Fetched(name, str(folder), _export(name, places))
    except OSError as error:
        raise ModelError(
            f"The model can't be written under {places.runs} ({error.strerror}): make room or choose "
            "another folder with --runs, and run the command again."
        ) from None


def _import(weights: Weights, places: Places) -> ZooEntry:
    """Through the doctor, as any stranger's file.

    Raises:
        ModelError: it is not the net that it is published as.
    """
    from resnet_core.data import imagenet
    from resnet_core.doctor.answers import Answers
    from resnet_core.doctor.diagnose import diagnose
    from resnet_core.doctor.keep import free_name, keep
    from resnet_core.doctor.normalisation import normalisation_named
    from resnet_core.models.config import parse_model_name

    path = places.file(weights)
    names = weights.class_names or imagenet.class_names()
    wanted = parse_model_name(weights.net, classes=len(names), input_size=weights.input_size)
    found = diagnose(path, family=wanted.family, image_size=weights.input_size)
    if found.config != wanted:
        raise ModelError(
            f"{path.name} holds {found.config.name} of {found.config.classes} classes, and not "
            f"{wanted.name} of {wanted.classes}: it was not imported."
        )
    normalisation = normalisation_named("imagenet", None)
    answers = Answers(
        wanted, normalisation, names, imagenet.NAME, None, weights.crop_share, found.assumed(False)
    )
    published = {
        "top1_error_percent": round(100 - weights.top1_percent, 3),
        "source": ACCURACY_SOURCE,
        "version": weights.version,
        "url": places.source(weights).url,
        "licence": LICENCE,
    }
    name = free_name(path, weights.model_name, places.runs)
    return keep(found, answers, name, places.runs, fetch_command(weights), published)


def _export(name: str, places: Places) -> str:
    from export.make import make_onnx
    from export.precisions import EXACT
    from resnet_core.training.find import find_model

    entry = find_imported(name, places.runs)
    if entry is None:
        raise ModelError(
            f"The card of {name} is damaged: delete {places.runs / IMPORTED / name}, and run the "
            "command again."
        )
    found = find_model(str(entry.folder), places.runs)
    return make_onnx(found, EXACT, entry.onnx_file, default_data_folder()).proof


def fetch_command(weights: Weights) -> str:
    """The command line that fetches it anywhere."""
    return f"python -m export fetch {weights.net} --version {weights.version}"
