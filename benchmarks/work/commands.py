"""`python -m benchmarks depth-against-work`: layers, parameters, work and time of nets for photos."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from export.fetch import default_weights_folder
from resnet_core.console import Commands
from resnet_core.errors import ConfigError
from resnet_core.files import write_text

if TYPE_CHECKING:
    from benchmarks.work.stored import StoredWork


def add_work(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "layers, parameters and multiply-adds of nets for photos, beside AlexNet and VGG"
    parser = commands.add_parser("depth-against-work", help=text, description=text)
    parser.add_argument("--html", type=Path, help="write figures and table to this one page")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--rounds", type=int, default=0, metavar="N",
        help="also time one photo through the best known of them, N times in turn (PyTorch eager, "
        "fp32, random weights; default: 0, not at all)",
    )  # fmt: skip
    parser.set_defaults(execute=_work)


def add_photo_answers(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "what AlexNet, VGG and the fetched ResNets say of one photo"
    parser = commands.add_parser("photo-answers", help=text, description=text)
    parser.add_argument("photo", type=Path)
    parser.add_argument(
        "--fetch", action="store_true",
        help="first fetch torchvision's weights of AlexNet and VGG that are not here (1.4 GB)",
    )  # fmt: skip
    parser.add_argument(
        "--weights-folder", type=Path, default=default_weights_folder(), help="where they are kept"
    )
    parser.add_argument("--url", default="", help="another server of the same files")
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.set_defaults(execute=_photo_answers)


def _photo_answers(options: argparse.Namespace) -> None:
    from benchmarks.work.answers import (
        as_text,
        ask_predecessors,
        ask_residual_nets,
        fetch,
        missing_weights,
    )
    from export.fetch_commands import tell

    folder = options.weights_folder
    for theirs in missing_weights(folder, options.url) if options.fetch else []:
        for event in fetch(theirs, folder):
            print(f"{theirs.net}: {tell(event)}", file=sys.stderr)
    said = [
        *ask_predecessors(options.photo, folder, options.url),
        *ask_residual_nets(options.photo),
    ]
    if options.json:
        print(json.dumps([each.to_dict() for each in said], indent=2))
    else:
        print(as_text(said))


def _measure(rounds: int, command: str) -> StoredWork:
    if rounds < 0:
        raise ConfigError(f"--rounds should be 0, to time nothing, or more, not {rounds}.")
    import torch

    from benchmarks.work.nets import count_nets
    from benchmarks.work.stored import StoredWork
    from benchmarks.work.timing import time_nets
    from resnet_core.training.machine import describe_machine

    versions = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    times = tuple(time_nets(rounds)) if rounds else ()
    return StoredWork(tuple(count_nets()), times, command, describe_machine() | versions)


def _work(options: argparse.Namespace) -> None:
    from benchmarks.work.report import as_page, as_text
    from benchmarks.work.stored import COMMAND

    command = f"{COMMAND} --rounds {options.rounds}" if options.rounds else COMMAND
    found = _measure(options.rounds, command)
    if options.html:
        write_text(options.html, as_page(found))
    print(json.dumps(found.to_dict(), indent=2) if options.json else as_text(found))
