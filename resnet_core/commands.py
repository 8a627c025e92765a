"""The commands of `python -m resnet_core`: options in, library calls, lines out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from resnet_core.console import Commands
from resnet_core.data.catalogue import describe_dataset, list_datasets
from resnet_core.data.commands import add_data_commands, describe_prepared, prepare_with_progress
from resnet_core.data.dataset import load_dataset
from resnet_core.data.own_store import PREFIX
from resnet_core.errors import ConfigError, RunError
from resnet_core.events import EpochFinished, Event, Finished, Started, Stepped, Stopped
from resnet_core.models.config import FAMILIES, ModelConfig, parse_model_name
from resnet_core.models.cost import count_cost
from resnet_core.options import add_options, given
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.training.config import TrainConfig, default_data_folder, default_runs_folder
from resnet_core.training.evaluate import evaluate
from resnet_core.training.find import find_model
from resnet_core.training.hardware import choose_hardware
from resnet_core.training.recipes import Recipe, find_recipe
from resnet_core.training.run import create_run, execute, misfits

# Fields a person changes on a recipe; the rest make it another recipe.
RECIPE_OPTIONS = (
    "epochs", "batch_size", "lr", "weight_decay", "label_smoothing",
    "augmentation", "validation_images", "keep",
)  # fmt: skip
RUN_OPTIONS = (
    "seed",
    "split_seed",
    "device",
    "precision",
    "compile",
    "threads",
    "checkpoint_seconds",
)


def add_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    for name, execute_command, add, text in (
        ("train", _train, _add_train, "train a net in a new run folder"),
        ("resume", _resume, _add_run, "go on with a stopped or interrupted run"),
        ("stop", _stop, _add_run, "let a running run write a checkpoint and end"),
        ("evaluate", _evaluate, _add_evaluate, "measure a model on a split"),
        ("models", _models, _add_models, "list the nets: layers, parameters, multiply-adds"),
    ):
        parser = commands.add_parser(name, help=text, description=text)
        add(parser)
        parser.set_defaults(execute=execute_command)
    add_data_commands(commands)


def _add_folders(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(),
        help="where cifar10.npz is or will be stored (default: $RESNET_LAB_DATA or ./data)",
    )  # fmt: skip
    parser.add_argument(
        "--runs", type=Path, default=default_runs_folder(),
        help="where run folders are made (default: $RESNET_LAB_RUNS or ./runs)",
    )  # fmt: skip


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, help="such as resnet20_v1, plain56, resnet56_v2")
    parser.add_argument(
        "--data", default="cifar10",
        help="cifar10, shapes, own/NAME, or a zip, folder or .npz of own images (default: cifar10)",
    )  # fmt: skip
    parser.add_argument("--recipe", default="fast", help="paper, tutorial, fast or taste")
    parser.add_argument("--run", type=Path, help="folder of the new run (default: named by time)")
    add_options(parser, ModelConfig, only=["shortcut", "gate_bias"])
    add_options(parser, Recipe, only=RECIPE_OPTIONS, unset=True)
    add_options(parser, TrainConfig, only=RUN_OPTIONS)
    _add_folders(parser)


def _train(options: argparse.Namespace) -> None:
    model = parse_model_name(options.model, shortcut=options.shortcut, gate_bias=options.gate_bias)
    recipe = find_recipe(options.recipe).changed(**given_recipe(options))
    if recipe.name == "paper" and model.depth >= 110 and recipe.warmup_lr is None:
        # §4.2: a rate of 0.1 is slightly too large for 110 layers to start converging.
        recipe = recipe.changed(warmup_lr=0.01)
    data = _find_data(options.data, options.data_folder)
    class_names, image_size = describe_dataset(data, options.data_folder)
    config = TrainConfig(
        model=replace(model, classes=len(class_names), input_size=image_size),
        data=data,
        recipe=recipe,
        data_folder=str(options.data_folder),
        **{name: getattr(options, name) for name in RUN_OPTIONS},
    )
    folder = create_run(config, options.runs, options.run)
    _follow(folder)


def _find_data(said: str, data_folder: Path) -> str:
    """The name of a data set; a path to own images is prepared first."""
    if said in list_datasets(data_folder) or said.startswith(PREFIX) or not Path(said).exists():
        return said
    prepared = prepare_with_progress(Path(said), data_folder)
    print(describe_prepared(prepared), flush=True)
    return prepared.name


def given_recipe(options: argparse.Namespace) -> dict[str, Any]:
    """The recipe's fields that the command line changes."""
    return {k: v for k, v in given(options, Recipe).items() if k in RECIPE_OPTIONS}


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="run folder, or its name under --runs")
    _add_folders(parser)


def _resume(options: argparse.Namespace) -> None:
    _follow(_find_run(options))


def _stop(options: argparse.Namespace) -> None:
    folder = _find_run(options)
    if folder.state() is not RunState.RUNNING:
        raise RunError(
            f"Run {folder.name} is {folder.state().value}: only a running run can be stopped."
        )
    folder.request_stop()
    print(
        f"Asked {folder.name} to stop; go on later with `python -m resnet_core resume {folder.path}`."
    )


def _find_run(options: argparse.Namespace) -> RunFolder:
    for path in (Path(options.run), options.runs / options.run):
        if (path / "config.json").is_file():
            return RunFolder(path)
    raise RunError(f"There is no run at {options.run}: give a run's folder or its name.")


def _follow(folder: RunFolder) -> None:
    print(f"Run folder: {folder.path}", flush=True)
    print_events(execute(folder))


def print_events(events: Iterable[Event]) -> None:
    """Print a line for each event worth one in a log; in a terminal, progress in between."""
    is_terminal = sys.stdout.isatty()
    for event in events:
        if isinstance(event, Stepped):
            if is_terminal:
                print(f"\r{_describe_progress(event)}", end="", flush=True)
        else:
            print(
                f"\r{describe_event(event):<100}" if is_terminal else describe_event(event),
                flush=True,
            )


def _describe_progress(event: Stepped) -> str:
    return (
        f"epoch {event.epoch:3d}  {100 * event.step / event.total_steps:5.1f} %  "
        f"train {event.train_error_percent:5.2f} %  {event.images_per_second:,.0f} images/s  "
        f"{_clock(event.eta_seconds)} left   "
    )


def _clock(seconds: float) -> str:
    """1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def describe_event(event: Event) -> str:
    """One plain line, with units."""
    match event:
        case Started():
            fresh = "Training" if event.step == 0 else f"Resuming at step {event.step:,}"
            compiled = ", compiled" if event.compiled else ""
            return (
                f"{fresh}: {event.total_steps:,} steps on {event.train_images:,} images, "
                f"{event.device} {event.precision}{compiled}"
            )
        case EpochFinished():
            validation = (
                f"  validation {event.validation_error_percent:5.2f} %"
                if event.validation_error_percent is not None
                else ""
            )
            return (
                f"epoch {event.epoch:3d}  train {event.train_error_percent:5.2f} %{validation}"
                f"  loss {event.train_loss:.4f}  lr {event.lr:.2e}"
                f"  {event.images_per_second:,.0f} images/s  {_clock(event.train_seconds)}"
                f"  {_clock(event.eta_seconds)} left"
            )
        case Stopped():
            return f"Stopped at step {event.step:,}; the checkpoint is written."
        case Finished():
            return (
                f"Finished: test error {event.test_error_percent:.2f} % "
                f"(weights of epoch {event.kept_epoch}), {event.train_seconds:,.0f} s of training"
            )
    return event.kind


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="shipped model, run folder or .safetensors file")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--data", help="data set (default: the one it was trained on)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--precision", default="fp32", help="fp32 (default), bf16 or auto")
    add_options(parser, TrainConfig, only=["device"])
    _add_folders(parser)


def _evaluate(options: argparse.Namespace) -> None:
    found = find_model(options.model, options.runs)
    dataset = load_dataset(options.data or found.data, options.data_folder)
    if problems := misfits(found.saved.model.config, dataset):
        raise ConfigError(problems)
    hardware = choose_hardware(options.device, options.precision, "off", 0)
    split = dataset.train if options.split == "train" else dataset.test
    model = found.saved.model.to(hardware.device)
    score = evaluate(model, split.to(hardware.device), hardware)
    if options.json:
        print(
            json.dumps(
                {
                    "model": model.config.name,
                    "source": found.source,
                    "data": dataset.name,
                    "split": options.split,
                    "images": score.images,
                    "error_percent": score.error_percent,
                    "loss": score.loss,
                    "precision": hardware.precision,
                }
            )
        )
    else:
        print(
            f"{model.config.name} ({found.source}) on {dataset.name} {options.split}: "
            f"error {score.error_percent:.2f} %, loss {score.loss:.4f}, {score.images:,} images"
        )


def _add_models(parser: argparse.ArgumentParser) -> None:
    add_options(parser, ModelConfig, only=["shortcut"])
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def _models(options: argparse.Namespace) -> None:
    rows: list[dict[str, Any]] = []
    for family in FAMILIES.values():
        if options.shortcut == "tutorial" and family.key == "highway":
            continue
        for depth in family.example_depths:
            config = ModelConfig(family.key, depth, options.shortcut)
            cost = count_cost(config)
            rows.append(
                {
                    "name": config.name,
                    "layers": depth,
                    "params": cost.params,
                    "multiply_adds": cost.multiply_adds,
                    "paper": family.paper,
                }
            )
    if options.json:
        print(json.dumps(rows))
        return
    print(f"{'name':16} {'layers':>6} {'parameters':>11} {'multiply-adds':>14}  source")
    for row in rows:
        millions = f"{row['params'] / 1e6:.2f} M"
        adds = f"{row['multiply_adds'] / 1e6:,.1f} M"
        print(f"{row['name']:16} {row['layers']:6} {millions:>11} {adds:>14}  {row['paper']}")
