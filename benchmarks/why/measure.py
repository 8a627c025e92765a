"""From what is asked to rows: finds nets and images, then lets the analysis work."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmarks.why.settings import (
    EnsembleSettings,
    GradientSettings,
    LandscapeSettings,
    ResponseSettings,
    Settings,
    SurgerySettings,
    parse_blocks,
    parse_pairs,
)
from resnet_core.analysis.ensemble import pick_greedily, probabilities, score_subsets
from resnet_core.analysis.gradient_flow import measure_gradient_flow
from resnet_core.analysis.images import (
    ChosenImages,
    common_validation,
    take_some,
    training_images,
    unseen_images,
)
from resnet_core.analysis.landscape import grid, loss_and_error, surface
from resnet_core.analysis.responses import Responses, measure_responses
from resnet_core.analysis.rows import Row
from resnet_core.analysis.surgery import (
    Operation,
    check_operation,
    find_blocks,
    score_after,
    survey,
)
from resnet_core.data.dataset import Dataset, Split, channel_statistics, load_dataset
from resnet_core.errors import ConfigError
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import PixelModel
from resnet_core.training.find import FoundModel, find_model
from resnet_core.training.hardware import choose_hardware, describe_environment
from resnet_core.training.run import current_commit, misfits

INPUT_STATISTICS_IMAGES = 1000
MOST_IN_A_BATCH = 4096  # whose activations, all layers' at a time, a computer of today holds
RowDict = dict[str, Any]
Rows = Callable[[Sequence[RowDict]], Iterator[Row]]


@dataclass(frozen=True)
class Places:
    """Where runs and data are."""

    runs: Path
    data_folder: Path


@dataclass(frozen=True)
class Prepared:
    """An analysis ready to work: what its file begins with, and its rows."""

    header: RowDict
    rows: Rows
    """Given the rows that are there already, yields those that are missing."""


@dataclass(frozen=True)
class Subject:
    """A trained net to look at, under the name it was asked for."""

    name: str
    found: FoundModel

    @property
    def model(self) -> PixelModel:
        return self.found.saved.model


def prepare(settings: Settings, places: Places) -> Prepared:
    """Load what an analysis needs and check that it can be done, before anything is measured.

    Raises:
        LabError: a net, data or option that does not exist or does not fit.
    """
    match settings:
        case GradientSettings():
            return _prepare_gradients(settings, places)
        case ResponseSettings():
            return _prepare_responses(settings, places)
        case SurgerySettings():
            return _prepare_surgery(settings, places)
        case LandscapeSettings():
            return _prepare_landscape(settings, places)
        case EnsembleSettings():
            return _prepare_ensemble(settings, places)
    raise AssertionError(settings)


def _prepare_gradients(settings: GradientSettings, places: Places) -> Prepared:
    if settings.starts < 1:
        raise ConfigError(f"{settings.starts} random starts measure nothing: choose 1 or more.")
    if not 1 <= settings.images <= MOST_IN_A_BATCH:
        raise ConfigError(
            f"Gradients are those of one batch: choose 1 to {MOST_IN_A_BATCH} images, not "
            f"{settings.images}."
        )
    dataset = load_dataset(settings.data, places.data_folder)
    shape = {"classes": len(dataset.class_names), "input_size": dataset.train.images.shape[1]}
    configs = [parse_model_name(name, **shape) for name in settings.models]
    chosen = training_images(dataset, settings.images, settings.seed)
    sample = take_some(dataset.train, INPUT_STATISTICS_IMAGES, settings.seed)
    mean, std = channel_statistics(sample)
    images = ((chosen.split.images.float() - mean) / std).permute(0, 3, 1, 2)

    def rows(there: Sequence[RowDict]) -> Iterator[Row]:
        done = {(row["model"], row["batch_norm"], row["seed"]) for row in there}
        for start in range(settings.seed, settings.seed + settings.starts):
            for config in configs:
                for batch_norm in (True, False):
                    if (config.name, batch_norm, start) not in done:
                        yield measure_gradient_flow(config, images, chosen.split, start, batch_norm)

    models = [{"name": c.name, "family": c.family, "depth": c.depth} for c in configs]
    return Prepared(_header(settings, models, chosen, dataset), rows)


def _prepare_responses(settings: ResponseSettings, places: Places) -> Prepared:
    subjects, dataset = _load(settings, places)
    chosen = _on_device(training_images(dataset, settings.images, settings.seed))

    def rows(there: Sequence[RowDict]) -> Iterator[Row]:
        done = {row["model"] for row in there}
        for subject in subjects:
            if subject.name not in done:
                config = subject.model.config
                yield Responses(
                    subject.name,
                    config.family,
                    config.depth,
                    *measure_responses(subject.model, chosen.split),
                )

    return Prepared(_header(settings, _facts(subjects), chosen, dataset), rows)


def _prepare_surgery(settings: SurgerySettings, places: Places) -> Prepared:
    subjects, dataset = _load(settings, places)
    asked = Operation(parse_blocks(settings.off), parse_pairs(settings.swap))
    for subject in subjects:
        check_operation(find_blocks(subject.model.network), asked)
    found = [subject.found for subject in subjects]
    chosen = _on_device(unseen_images(found, dataset, settings.images, settings.seed))

    def rows(there: Sequence[RowDict]) -> Iterator[Row]:
        for subject in subjects:
            done = {_operation(row) for row in there if row["model"] == subject.name}
            if asked == Operation():
                yield from survey(subject.model, chosen.split, subject.name, settings.swaps, done)
                continue
            for operation in (Operation(), asked):
                if operation not in done:
                    yield score_after(subject.model, chosen.split, operation, subject.name)

    return Prepared(_header(settings, _facts(subjects), chosen, dataset), rows)


def _operation(row: RowDict) -> Operation:
    pairs = tuple((first, second) for first, second in row["swapped"])
    return Operation(tuple(row["off"]), pairs)


def _prepare_landscape(settings: LandscapeSettings, places: Places) -> Prepared:
    grid(settings.points, settings.span)
    subjects, dataset = _load(settings, places)
    chosen = _on_device(training_images(dataset, settings.images, settings.seed))

    def rows(there: Sequence[RowDict]) -> Iterator[Row]:
        done = {(row["model"], row["x"], row["y"]) for row in there}
        slices = [
            surface(
                subject.model.network,
                lambda model=subject.model: loss_and_error(model, chosen.split),  # type: ignore[misc]
                subject.name,
                settings.seed,
                settings.points,
                settings.span,
                {(x, y) for name, x, y in done if name == subject.name},
            )
            for subject in subjects
        ]
        yield from _in_turn(slices)

    return Prepared(_header(settings, _facts(subjects), chosen, dataset), rows)


def _in_turn(slices: list[Iterator[Any]]) -> Iterator[Row]:
    """One row of each in turn, so that surfaces grow side by side."""
    while slices:
        for rows in list(slices):
            try:
                yield next(rows)
            except StopIteration:
                slices.remove(rows)


def _prepare_ensemble(settings: EnsembleSettings, places: Places) -> Prepared:
    subjects, dataset = _load(settings, places)
    test = take_some(dataset.test, settings.images, settings.seed)
    chosen = _on_device(ChosenImages(test, "test", "The error of an ensemble is a final figure."))
    validation = common_validation([subject.found for subject in subjects], dataset)

    def rows(there: Sequence[RowDict]) -> Iterator[Row]:
        done = {(row["event"], tuple(row["members"])) for row in there}
        for row in _ensembles(subjects, chosen.split, validation, settings.seed):
            if (row.kind, row.to_dict()["members"]) not in done:
                yield row

    return Prepared(_header(settings, _facts(subjects), chosen, dataset), rows)


def _ensembles(
    subjects: Sequence[Subject], test: Split, validation: Split | None, seed: int
) -> Iterator[Row]:
    names = [subject.name for subject in subjects]
    answers: list[Tensor] = []

    def ask() -> Iterator[Tensor]:
        for subject in subjects:
            answers.append(probabilities(subject.model, test))
            yield answers[-1]

    yield from score_subsets(names, ask(), test.labels, seed)
    if validation is not None:
        held_out = validation.to(test.labels.device)
        on_validation = [probabilities(subject.model, held_out) for subject in subjects]
        yield from pick_greedily(names, on_validation, held_out.labels, answers, test.labels)


def _load(settings: Settings, places: Places) -> tuple[list[Subject], Dataset]:
    """The nets asked for and the one data set they were trained on.

    Raises:
        LabError: a net that is not there, is named twice, or fits no data the others fit.
    """
    if len(set(settings.models)) < len(settings.models):
        raise ConfigError("A net is named twice: name each once.")
    subjects = [Subject(Path(name).name, find_model(name, places.runs)) for name in settings.models]
    sets = sorted({subject.found.data for subject in subjects})
    if len(sets) != 1:
        raise ConfigError(
            f"These nets were trained on different data ({', '.join(sets)}): choose nets of one."
        )
    dataset = load_dataset(sets[0], places.data_folder)
    problems = [p for s in subjects for p in misfits(s.model.config, dataset)]
    if problems:
        raise ConfigError(problems)
    device = choose_hardware("auto", "fp32", "off", 0).device
    for subject in subjects:
        subject.model.to(device)
    return subjects, dataset


def _on_device(chosen: ChosenImages) -> ChosenImages:
    device = choose_hardware("auto", "fp32", "off", 0).device
    return ChosenImages(chosen.split.to(device), chosen.name, chosen.reason)


def _facts(subjects: Sequence[Subject]) -> list[RowDict]:
    return [
        {
            "name": subject.name,
            "family": subject.model.config.family,
            "depth": subject.model.config.depth,
            "source": subject.found.source,
            "test_error_percent": subject.found.test_error_percent,
            "weights": _fingerprint(subject.model),
        }
        for subject in subjects
    ]


def _fingerprint(model: PixelModel) -> str:
    """Tells weights apart: results of others are not continued."""
    digest = hashlib.sha256()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _header(
    settings: Settings, models: list[RowDict], chosen: ChosenImages, dataset: Dataset
) -> RowDict:
    return {
        "event": "started",
        "analysis": settings.analysis,
        "question": settings.question,
        "command": settings.command,
        "settings": settings.to_dict(),
        "models": models,
        "data": dataset.name,
        "classes": len(dataset.class_names),
        "images": len(chosen.split),
        "split": chosen.name,
        "reason": chosen.reason,
        "environment": describe_environment() | {"commit": current_commit()},
    }
