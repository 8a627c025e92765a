"""This engine's training against the textbook loop, in turn in one run, data work included."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.rounds import Comparison, check_rounds
from benchmarks.textbook_loop import textbook_apart
from resnet_core.data.dataset import Dataset
from resnet_core.events import Stepped
from resnet_core.models.config import ModelConfig
from resnet_core.runs.folder import RunFolder
from resnet_core.training.config import TrainConfig
from resnet_core.training.cpu_kernels.use import trains_in_chains
from resnet_core.training.hardware import (
    COMPILE_PAYS_AFTER_IMAGES,
    Hardware,
    choose_hardware,
    describe_environment,
)
from resnet_core.training.loop import train
from resnet_core.training.recipes import MOST_EPOCHS, find_recipe

UNTIMED_EVENTS = 2


def engine_events(
    model: ModelConfig, dataset: Dataset, recipe: str, folder: Path, hardware: Hardware
) -> Iterator[Stepped]:
    """The product's own training, as a person would start it: its progress events.

    Without validation, which the textbook loop has none of. As long as a run can be: on a fast machine
    a recipe's own epochs are over before the rounds are.

    Args:
        hardware: as is chosen for the recipe's own epochs.
    """
    endless = find_recipe(recipe).changed(epochs=float(MOST_EPOCHS), validation_images=0)
    switch = "on" if hardware.compiled else "off"
    if hardware.own_kernels and not hardware.compiled:
        # Too short for a step to be compiled.
        switch = "auto"
        endless = endless.changed(epochs=(COMPILE_PAYS_AFTER_IMAGES - 1) / len(dataset.train))
    config = TrainConfig(model, dataset.name, endless, data_folder="", compile=switch)
    for event in train(config, dataset, RunFolder(folder)):
        if isinstance(event, Stepped):
            yield event


def compare_training(
    model: ModelConfig, dataset: Dataset, recipe: str, rounds: int, seconds: float
) -> dict[str, Any]:
    """Time both in turn and report images/s and their ratio, each round's and the median.

    Both run on the device that this engine chooses here, each in a process of its own that stands
    still while the other works. Warm-up (compiling and the first steps) is timed apart and reported.

    Raises:
        ConfigError: nothing would be measured.
    """
    check_rounds(rounds, seconds)
    batch_size = find_recipe(recipe).batch_size
    images = round(find_recipe(recipe).epochs * len(dataset.train))
    hardware = choose_hardware("auto", "auto", "auto", images, in_chains=trains_in_chains(model))
    ours, theirs = [], []
    with (
        tempfile.TemporaryDirectory(prefix="resnet-lab-") as folder,
        textbook_apart(model, dataset.train, batch_size, hardware) as textbook,
    ):
        began = perf_counter()
        engine = engine_events(model, dataset, recipe, Path(folder), hardware)
        next(engine)
        warm_up_seconds = perf_counter() - began
        for _ in range(rounds):
            theirs.append(textbook.rate(seconds))
            ours.append(batch_size * _engine_rate(engine, seconds))
        engine.close()  # type: ignore[attr-defined]
    return {
        "benchmark": "training",
        "model": model.name,
        "data": dataset.name,
        "batch_size": batch_size,
        **Comparison(tuple(ours), tuple(theirs)).to_dict("images_per_second"),
        "warm_up_seconds": warm_up_seconds,
        "environment": describe_environment(hardware),
    }


def _engine_rate(events: Iterator[Stepped], seconds: float) -> float:
    for _ in range(UNTIMED_EVENTS):
        first = next(events)
    began = perf_counter()
    last = next(events)
    while perf_counter() - began < seconds:
        last = next(events)
    return (last.step - first.step) / (perf_counter() - began)
