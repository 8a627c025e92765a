"""The experiment: a net is trained on some classes, then learns others from few pictures, in four ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.transfer.pictures import draw_known, draw_new, read_cifar10
from benchmarks.transfer.settings import Settings
from resnet_core.data.own_store import PreparedImages
from resnet_core.models.config import ModelConfig, parse_model_name
from resnet_core.runs.folder import RunFolder
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import create_run, reproducing_command
from resnet_core.training.recipes import Recipe, find_recipe, fit_to_images
from resnet_core.training.run import execute
from resnet_core.training.start import FoundStart, find_start

WAYS = ("head", "last_stage", "all", "scratch")


@dataclass(frozen=True)
class Result:
    """One net, trained."""

    way: str
    """head, last_stage or all of it fine-tuned; scratch: from random weights."""
    per_class: int
    seed: int
    test_error_percent: float
    majority_error_percent: float
    """What always guessing one class would have."""
    train_seconds: float
    command: str
    """With `FOLDER` for where sets and runs are, which `--folder` keeps."""


def measure(
    settings: Settings, per_class: Sequence[int], data_folder: Path, folder: Path
) -> Iterator[dict[str, Any]]:
    """Train the start, then every way with every number of pictures and every seed.

    Args:
        folder: where sets and runs are put.

    Yields:
        What the start came to, then each result.
    """
    cifar10 = read_cifar10(data_folder)
    known = draw_known(cifar10, folder, settings.start_images)
    net = parse_model_name(settings.model)
    recipe = find_recipe("fast").changed(epochs=settings.start_epochs)
    begun = _train(_config(net, known, recipe, 0), folder, "start")
    yield {"way": "start", "test_error_percent": begun.summary()["test_error_percent"]}
    start = find_start(str(begun.path), folder)
    for count in per_class:
        for seed in range(settings.seeds):
            few = draw_new(cifar10, folder, count, seed)
            for way in WAYS:
                config = _config_for(way, settings, net, few, start, seed)
                yield asdict(_result(way, count, config, folder))


def _config_for(
    way: str,
    settings: Settings,
    net: ModelConfig,
    few: PreparedImages,
    start: FoundStart,
    seed: int,
) -> TrainConfig:
    images = few.report.train_images
    if way == "scratch":
        recipe = find_recipe("fast").changed(epochs=settings.scratch_epochs)
        return _config(net, few, fit_to_images(recipe, images), seed)
    recipe = find_recipe("finetune").changed(train_part=way, epochs=settings.epochs)
    return _config(start.header.config, few, fit_to_images(recipe, images), seed, start)


def _config(
    net: ModelConfig,
    data: PreparedImages,
    recipe: Recipe,
    seed: int,
    start: FoundStart | None = None,
) -> TrainConfig:
    return TrainConfig(
        model=replace(net, classes=len(data.class_names)),
        data=data.name,
        recipe=recipe,
        data_folder=str(data.file.parent.parent),
        start=start.start if start else None,
        seed=seed,
    )


def _train(config: TrainConfig, folder: Path, name: str) -> RunFolder:
    run = create_run(config, folder, folder / "runs" / name)
    for _ in execute(run):
        pass
    return run


def _result(way: str, per_class: int, config: TrainConfig, folder: Path) -> Result:
    name = f"{way}-{per_class}-seed{config.seed}"
    summary = _train(config, folder, name).summary()
    return Result(
        way=way,
        per_class=per_class,
        seed=config.seed,
        test_error_percent=summary["test_error_percent"],
        majority_error_percent=summary["majority_error_percent"],
        train_seconds=summary["train_seconds"],
        command=reproducing_command(config).replace(str(folder), "FOLDER"),
    )
