"""The commands of `python -m resnet_core`: options in, library calls, lines out.

Torch is imported by the commands that need it, when they run: looking at runs and queueing them
takes a blink.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_core.console import Commands
from resnet_core.data.catalogue import count_train_images, describe_dataset, list_datasets
from resnet_core.data.commands import add_data_commands, describe_prepared, prepare_with_progress
from resnet_core.data.own_images import DEFAULT_SIZE
from resnet_core.data.own_store import PREFIX
from resnet_core.display import clock, show_events
from resnet_core.doctor.commands import add_import_command
from resnet_core.doctor.remove_commands import add_imported_commands
from resnet_core.errors import ConfigError, RunError
from resnet_core.models import commands as models_commands
from resnet_core.models.config import ModelConfig, parse_model_name
from resnet_core.options import add_options, field_docs, given
from resnet_core.runs import commands as runs_commands
from resnet_core.runs.folder import RunFolder, RunState, delete_run, find_run
from resnet_core.runs.queue import enqueue
from resnet_core.runs.worker import ensure_worker, step_back
from resnet_core.training.config import TrainConfig, default_data_folder
from resnet_core.training.new_run import create_run
from resnet_core.training.recipes import (
    RECIPES,
    Recipe,
    find_recipe,
    fit_to_depth,
    fit_to_images,
)
from resnet_core.training.start import FoundStart, Start, find_start

if TYPE_CHECKING:
    from resnet_core.training.distributed import Team

RECIPE_OPTIONS = [field.name for field in fields(Recipe) if field.name not in ("name", "source")]
RUN_OPTIONS = (
    "seed",
    "split_seed",
    "device",
    "precision",
    "compile",
    "threads",
    "checkpoint_seconds",
    "tensorboard",
)


def add_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    for name, execute_command, add, text in (
        ("train", _train, _add_train, "train a net in a new run folder"),
        ("estimate", _estimate, _add_estimate, "measure briefly how long a training will take"),
        ("resume", _resume, _add_resume, "go on with a stopped or interrupted run"),
        (
            "stop",
            runs_commands.stop,
            runs_commands.add_stop,
            "let a run write a checkpoint and end",
        ),
        ("evaluate", _evaluate, _add_evaluate, "measure a model on a split"),
        ("models", models_commands.show, models_commands.add_show, models_commands.TEXT),
    ):
        parser = commands.add_parser(name, help=text, description=text)
        add(parser)
        parser.set_defaults(execute=execute_command)
    runs_commands.add_commands(commands)
    add_data_commands(commands)
    add_import_command(commands)
    add_imported_commands(commands)


def _add_data_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(),
        help="where cifar10.npz is or will be stored (default: $RESNET_LAB_DATA or ./data)",
    )  # fmt: skip


def add_config(parser: argparse.ArgumentParser) -> None:
    """The options that make a TrainConfig, the same for `train` and `estimate`."""
    parser.add_argument(
        "--model", help="such as resnet20_v1, plain56; for photos resnet18, resnet50"
    )
    parser.add_argument(
        "--from", dest="start", metavar="MODEL",
        help=f"{field_docs(Start)['name']} {field_docs(TrainConfig)['start']}",
    )  # fmt: skip
    add_options(parser, TrainConfig, only=["seed"])
    add_setting(parser)
    parser.set_defaults(recipe=None)
    parser.add_argument(
        "--image-size", type=int,
        help="height and width, in pixels, to prepare own images at (default: those of the start, "
        f"else {DEFAULT_SIZE})",
    )  # fmt: skip
    runs_commands.add_runs_folder(parser)


def add_setting(parser: argparse.ArgumentParser) -> None:
    """Those of them that nets and seeds of a study share."""
    parser.add_argument(
        "--data", default="cifar10",
        help="cifar10, shapes, own/NAME, or a zip, folder or .npz of own images (default: cifar10)",
    )  # fmt: skip
    parser.add_argument(
        "--recipe", default="fast",
        help=f"{', '.join(RECIPES)} (default: fast; with --from finetune)",
    )  # fmt: skip
    # What studies, whose nets all start at random, don't offer.
    parser.set_defaults(start=None, image_size=None)
    # Not said, a shortcut is the family's own.
    add_options(parser, ModelConfig, only=["shortcut"], unset=True)
    add_options(parser, ModelConfig, only=["gate_bias"])
    add_options(parser, Recipe, only=RECIPE_OPTIONS, unset=True)
    add_options(parser, TrainConfig, only=[name for name in RUN_OPTIONS if name != "seed"])
    _add_data_folder(parser)


def config_of(options: argparse.Namespace) -> TrainConfig:
    """The run that the options of `add_config` describe.

    Raises:
        LabError: what is wrong with them, all of it.
    """
    start = find_start(options.start, options.runs) if options.start else None
    model = _chosen_net(options, start)
    recipe = find_recipe(options.recipe or ("finetune" if start else "fast"))
    recipe = recipe.changed(**given_recipe(options))
    data = _find_data(options, start)
    class_names, image_size = describe_dataset(data, options.data_folder)
    if start:
        model, recipe = start.model_for(class_names, image_size), start.recipe_for(recipe)
        if options.batch_size is None:
            recipe = fit_to_images(recipe, count_train_images(data, options.data_folder))
    return TrainConfig(
        model=replace(model, classes=len(class_names), input_size=image_size),
        data=data,
        recipe=fit_to_depth(recipe, model.depth),
        data_folder=str(options.data_folder),
        start=start.start if start else None,
        **{name: getattr(options, name) for name in RUN_OPTIONS},
    )


def _chosen_net(options: argparse.Namespace, start: FoundStart | None) -> ModelConfig:
    """The net that was named, or that of the start."""
    shortcut = {} if options.shortcut is None else {"shortcut": options.shortcut}
    if start is None:
        if options.model is None:
            raise ConfigError("Name a net with --model, or trained weights with --from.")
        return parse_model_name(options.model, gate_bias=options.gate_bias, **shortcut)
    net = start.header.config
    if options.model not in (None, net.name) or options.shortcut not in (None, net.shortcut):
        raise ConfigError(
            f"The net is that of --from {start.start.name}: {net.name} with shortcut "
            f"{net.shortcut}. Leave --model and --shortcut out."
        )
    return net


def _find_data(options: argparse.Namespace, start: FoundStart | None) -> str:
    """The name of a data set; a path to own images is prepared first."""
    said, folder = options.data, options.data_folder
    if said in list_datasets(folder) or said.startswith(PREFIX) or not Path(said).exists():
        return said
    size = options.image_size or (start.input_size if start else DEFAULT_SIZE)
    prepared = prepare_with_progress(Path(said), folder, size)
    # Where machines read the answer, people read beside it.
    print(describe_prepared(prepared), flush=True, file=sys.stderr if options.json else sys.stdout)
    return prepared.name


def given_recipe(options: argparse.Namespace) -> dict[str, Any]:
    """The recipe's fields that the command line changes."""
    return {k: v for k, v in given(options, Recipe).items() if k in RECIPE_OPTIONS}


def _add_train(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--run", type=Path, help="folder of the new run (default: named by time)")
    parser.add_argument(
        "--minutes", type=float, help="train as many epochs as fit, after a brief measurement"
    )
    parser.add_argument(
        "--queue", action="store_true", help="wait in the queue and train in the background"
    )
    parser.add_argument("--json", action="store_true", help="print events as lines of JSON")


def _train(options: argparse.Namespace) -> None:
    _refuse_in_a_team(options)
    config = config_of(options)
    if options.minutes is not None:
        from resnet_core.training.estimate import fit_to_minutes

        config = fit_to_minutes(config, options.minutes)
        if not options.json:
            print(f"{options.minutes:g} minutes are {config.recipe.epochs:g} epochs here.")
    if options.queue:
        folder = create_run(config, options.runs, options.run)
        try:
            enqueue(folder)
        except RunError:
            delete_run(folder)  # it has only just been made
            raise
        ensure_worker(folder.path.parent)
        print(json.dumps({"run": folder.name}) if options.json else f"Queued: {folder.path}")
        return
    from resnet_core.training.distributed import join_team

    with join_team() as team:
        shared = replace(config, devices=team.size)
        folder = team.follow_leader(lambda: create_run(shared, options.runs, options.run))
        _follow(folder, options.json, team)


def _refuse_in_a_team(options: argparse.Namespace) -> None:
    """What one process does must not be done by each of torchrun's."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        given = [f"--{name}" for name in ("queue", "minutes") if getattr(options, name)]
        if Path(options.data).exists() and options.data not in list_datasets(options.data_folder):
            given.append(f"--data {options.data}")
        if given:
            raise ConfigError(
                f"Under torchrun {', '.join(given)} can't be used: give --epochs, start the run at "
                "once, and prepare own images first with `python -m resnet_core images`."
            )


def _add_estimate(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _estimate(options: argparse.Namespace) -> None:
    from resnet_core.training.estimate import estimate

    found = estimate(config_of(options))
    if options.json:
        print(json.dumps(vars(found)))
        return
    print(
        f"{clock(found.total_seconds)} for {found.epochs:g} epochs "
        f"({clock(found.epoch_seconds)} each), {found.images_per_second:,.0f} images/s on "
        f"{found.device} in {found.precision}, {found.memory_mb:,.0f} MB of memory"
    )


def _add_resume(parser: argparse.ArgumentParser) -> None:
    runs_commands.add_run(parser)
    add_options(parser, TrainConfig, only=["tensorboard"], unset=True)
    parser.add_argument("--json", action="store_true", help="print events as lines of JSON")
    # The queue took back earlier stops itself; one that came since then holds.
    parser.add_argument("--from-queue", action="store_true", help=argparse.SUPPRESS)


def _resume(options: argparse.Namespace) -> None:
    from resnet_core.training.distributed import join_team

    with join_team() as team:
        folder = team.follow_leader(lambda: _run_to_resume(options))
        _follow(folder, options.json, team, options.tensorboard)


def _run_to_resume(options: argparse.Namespace) -> RunFolder:
    folder = find_run(options.run, options.runs)
    if options.from_queue:
        step_back()
    elif folder.state() is not RunState.RUNNING:
        folder.stop_file.unlink(missing_ok=True)
    return folder


def _follow(folder: RunFolder, as_json: bool, team: Team, tensorboard: bool | None = None) -> None:
    from resnet_core.training.run import execute

    events = execute(folder, tensorboard, team)
    if not team.is_leader:
        for _ in events:  # one of them prints
            pass
        return
    if not as_json:
        print(f"Run folder: {folder.path}", flush=True)
    show_events(events, as_json)


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="shipped model, run folder or .safetensors file")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--data", help="data set (default: the one it was trained on)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--precision", default="fp32", help="fp32 (default), bf16 or auto")
    add_options(parser, TrainConfig, only=["device"])
    _add_data_folder(parser)
    runs_commands.add_runs_folder(parser)


def _evaluate(options: argparse.Namespace) -> None:
    from resnet_core.data.dataset import load_dataset
    from resnet_core.training.evaluate import evaluate
    from resnet_core.training.find import find_model
    from resnet_core.training.hardware import choose_hardware
    from resnet_core.training.run import misfits

    found = find_model(options.model, options.runs)
    dataset = load_dataset(options.data or found.data, options.data_folder)
    if problems := misfits(found.saved.model.config, dataset):
        raise ConfigError(problems)
    hardware = choose_hardware(options.device, options.precision, "off", 0)
    split = dataset.train if options.split == "train" else dataset.test
    model = found.saved.model.to(hardware.device)
    with hardware.exact():
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
