"""The commands of `python -m resnet_core`: options in, library calls, lines out.

Torch is imported by the commands that need it, when they run: looking at runs and queueing them
takes a blink.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_core.config_options import add_config, add_data_folder, config_of
from resnet_core.console import Commands
from resnet_core.data.catalogue import list_datasets
from resnet_core.data.commands import add_data_commands
from resnet_core.display import clock, show_events
from resnet_core.doctor.commands import add_import_command
from resnet_core.doctor.remove_commands import add_imported_commands
from resnet_core.errors import ConfigError, RunError
from resnet_core.models import commands as models_commands
from resnet_core.options import add_options
from resnet_core.plural import counted
from resnet_core.runs import commands as runs_commands
from resnet_core.runs.deletion import delete_run
from resnet_core.runs.folder import RunFolder, RunState, find_run
from resnet_core.runs.queue import enqueue
from resnet_core.runs.worker import ensure_worker, step_back
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import create_run

if TYPE_CHECKING:
    from resnet_core.training.distributed import Team


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
            print(
                f"{counted(options.minutes, 'minute')}: {counted(config.recipe.epochs, 'epoch')} here."
            )
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
        f"{clock(found.total_seconds)} for {counted(found.epochs, 'epoch')} "
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
    add_data_folder(parser)
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
