"""The commands of `python -m benchmarks`. Heavy imports happen in the command that needs them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks.comparison import add_compare
from benchmarks.depth.commands import add_depth
from benchmarks.depth.room_commands import add_room
from benchmarks.folder.commands import add_folder
from benchmarks.load.commands import add_load
from benchmarks.roofline.commands import add_roofline
from benchmarks.roofline.profile_commands import add_profile
from benchmarks.rounds import check_rounds
from benchmarks.throughput.commands import add_throughput
from benchmarks.throughput.report_commands import add_speed_reports
from benchmarks.transfer.commands import add_transfer
from benchmarks.under_load.commands import add_under_load
from benchmarks.vendor_tools import add_vendors
from benchmarks.why.commands import add_why
from benchmarks.work.commands import add_photo_answers, add_work
from resnet_core.console import Commands
from resnet_core.plural import counted
from resnet_core.training.config import DATA_FOLDER_HELP


def add_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    training = commands.add_parser("training", help="this engine against the textbook loop")
    training.add_argument("--model", default="resnet20_v1", help="(default: resnet20_v1)")
    training.add_argument(
        "--data", default="cifar10", help="cifar10, shapes, or own/NAME (default: cifar10)"
    )
    training.add_argument("--data-folder", type=Path, help=DATA_FOLDER_HELP)
    training.add_argument("--recipe", default="fast", help="(default: fast)")
    training.add_argument(
        "--rounds", type=int, default=5, help="pairs of measurements (default: 5)"
    )
    training.add_argument("--seconds", type=float, default=8.0, help="length of one (default: 8)")
    training.add_argument("--json", action="store_true", help="print one JSON object")
    training.set_defaults(execute=_training)

    app = commands.add_parser("app", help="the app against a one-line Gradio app")
    app.add_argument("--rounds", type=int, default=5, help="pairs of measurements (default: 5)")
    app.add_argument(
        "--only", nargs="+", choices=("start", "request", "busy"), help="some of its parts"
    )
    app.add_argument("--json", action="store_true", help="print one JSON object")
    app.set_defaults(execute=_app)

    add_folder(commands)
    add_compare(commands)
    add_depth(commands)
    add_room(commands)
    add_work(commands)
    add_photo_answers(commands)
    add_why(commands)
    add_transfer(commands)
    add_throughput(commands)
    add_load(commands)
    add_under_load(commands)
    add_vendors(commands)
    add_speed_reports(commands)
    add_roofline(commands)
    add_profile(commands)


def _training(options: argparse.Namespace) -> None:
    from benchmarks.training_speed import compare_training
    from resnet_core.data.dataset import load_dataset
    from resnet_core.models.config import parse_model_name
    from resnet_core.training.config import default_data_folder

    dataset = load_dataset(options.data, options.data_folder or default_data_folder())
    classes, size = len(dataset.class_names), dataset.train.images.shape[1]
    model = parse_model_name(options.model, classes=classes, input_size=size)
    result = compare_training(model, dataset, options.recipe, options.rounds, options.seconds)
    _print(result, "images_per_second", "images/s", options.json)


def _app(options: argparse.Namespace) -> None:
    from benchmarks.app_speed import compare_busy, compare_request, compare_start

    check_rounds(options.rounds)
    parts = {
        "start": (compare_start, "seconds", "s"),
        "request": (compare_request, "ms", "ms"),
        "busy": (compare_busy, "ms", "ms"),
    }
    wanted = options.only or list(parts)
    results = {name: parts[name][0](options.rounds) for name in wanted}
    if options.json:
        print(json.dumps(results, indent=2))
        return
    for name, result in results.items():
        _print(result, *parts[name][1:], False)


def _print(result: dict[str, Any], unit: str, shown: str, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, indent=2))
        return
    print(
        f"{result['benchmark']}: ours {result[f'ours_{unit}']:,.1f} {shown}, "
        f"theirs {result[f'theirs_{unit}']:,.1f} {shown}, ratio {result['ratio']:.2f} "
        f"({result['ratio_lowest']:.2f} to {result['ratio_highest']:.2f} "
        f"over {counted(len(result['rounds']['ours']), 'round')})"
    )
