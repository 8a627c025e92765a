"""One measurement from start to end: answers first, then speeds, each step told as it is done."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.throughput.answers import check_answers
from benchmarks.throughput.cases import Setup, plan_setups
from benchmarks.throughput.measure import Result, Worker, measure, workers
from benchmarks.throughput.probe import LoadProbe
from benchmarks.throughput.reference import reference_classes
from benchmarks.throughput.settings import SpeedSettings
from export.catalogue import find_exported
from export.engines.catalogue import library_versions
from export.session import ModelFacts, OnnxSession
from resnet_core.errors import ConfigError


@dataclass(frozen=True)
class Gate:
    """The pictures that every engine answers before its speed is measured."""

    images: NDArray[np.uint8]
    """(N, size, size, 3)."""
    labels: NDArray[np.int64] | None
    """What they show, (N,), where they are all of the test images."""


def plan_results(settings: SpeedSettings) -> list[Result]:
    """A result to fill for every setup; those that can't run here say why.

    Raises:
        LabError: a model, an engine or a number that does not exist.
    """
    for model in settings.models:
        find_exported(model)
    setups = plan_setups(settings.models, settings.engines, settings.threads)
    return [_planned(setup) for setup in setups]


def _planned(setup: Setup) -> Result:
    obstacle = setup.choice.obstacle
    if obstacle is None:
        return Result(setup)
    return Result(setup, reason=obstacle.reason, install=obstacle.install)


def model_facts(settings: SpeedSettings) -> list[ModelFacts]:
    """What each model says of itself, in the order asked.

    Raises:
        ConfigError: they were trained on different data.
    """
    facts = [OnnxSession(find_exported(name).file, "cpu").facts for name in settings.models]
    if len({(fact.data, fact.input_size) for fact in facts}) > 1:
        raise ConfigError(
            "These models were trained on different data: measure one kind at a time."
        )
    return facts


def load_gate(data: str, data_folder: Path, images: int) -> Gate:
    """The first so many test images of a data set."""
    from resnet_core.data.dataset import load_dataset

    test = load_dataset(data, data_folder).test
    is_all = images >= len(test)
    return Gate(test.images[:images].numpy(), test.labels.numpy() if is_all else None)


def steps(settings: SpeedSettings, results: Sequence[Result], gate: Gate) -> Iterator[str]:
    """Fill the results, process by process; yields a line after the gate and each measurement."""
    method = settings.method()
    with tempfile.TemporaryDirectory() as folder:
        for process in range(method.processes):
            with workers(results) as opened:
                if process == 0:
                    _check(opened, settings.models, method.batch_sizes, gate, Path(folder))
                    yield "answers compared"
                for line in measure(opened, method, LoadProbe()):
                    yield f"process {process + 1} of {method.processes}: {line}"


def _check(
    opened: Sequence[tuple[Result, Worker]], models: Sequence[str], batch_sizes: Sequence[int],
    gate: Gate, folder: Path,
) -> None:  # fmt: skip
    """Put the same test images to the reference, on the CPU, and to every engine."""
    images = folder / "images.npy"
    np.save(images, gate.images)
    expected = {model: reference_classes(model, images) for model in models}
    check_answers(opened, images, expected, gate.labels, batch_sizes)


def describe_here() -> dict[str, Any]:
    """The machine, the versions and the code that measure."""
    from resnet_core.training.hardware import describe_environment
    from resnet_core.training.run import current_commit

    return describe_environment() | library_versions() | {"commit": current_commit()}


def describe_models(settings: SpeedSettings, facts: Sequence[ModelFacts]) -> list[dict[str, Any]]:
    """Name as asked, family, depth and test error of each model."""
    return [
        {
            "name": name,
            "family": fact.family,
            "depth": fact.depth,
            "test_error_percent": fact.test_error_percent,
        }
        for name, fact in zip(settings.models, facts, strict=True)
    ]
