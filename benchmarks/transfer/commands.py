"""`python -m benchmarks transfer`: fine-tuned on few pictures of new classes, or trained on them alone."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.transfer.pictures import KNOWN, NEW
from benchmarks.transfer.report import as_table, summarise
from benchmarks.transfer.settings import Settings
from resnet_core.console import Commands
from resnet_core.errors import ConfigError
from resnet_core.files import write_json
from resnet_core.options import add_options, as_words, given
from resnet_core.training.config import DATA_FOLDER_HELP, default_data_folder


def add_transfer(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "a net that knows six classes of CIFAR-10 learns the other four from few pictures"
    parser = commands.add_parser("transfer", help=text, description=text)
    add_options(parser, Settings)
    parser.add_argument(
        "--per-class", type=int, nargs="+", default=[50], help="pictures a class (default: 50)"
    )
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(), help=DATA_FOLDER_HELP
    )
    parser.add_argument("--folder", type=Path, help="keep sets and runs here (default: nowhere)")
    parser.add_argument("--out", type=Path, help="write the JSON to this file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=_transfer)


def _transfer(options: argparse.Namespace) -> None:
    from benchmarks.transfer.measure import measure

    settings = Settings(**given(options, Settings))
    if settings.seeds < 1 or min(options.per_class) < 2:
        raise ConfigError("An experiment needs at least 1 seed and 2 pictures a class.")
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        rows = []
        for row in measure(settings, options.per_class, options.data_folder, folder):
            rows.append(row)
            print(_line(row), file=sys.stderr, flush=True)
    result = _described(settings, options.per_class, rows)
    if options.out:
        write_json(options.out, result)
    print(json.dumps(result, indent=2) if options.json else as_table(result))


def _line(row: dict[str, Any]) -> str:
    about = f", {row['per_class']} a class, seed {row['seed']}" if "seed" in row else ""
    return f"{row['way']}{about}: {row['test_error_percent']:.2f} %"


def _described(
    settings: Settings, per_class: list[int], rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """Results with what they depend on."""
    from resnet_core.training.hardware import describe_environment
    from resnet_core.training.run import current_commit

    start, *results = rows
    words = [word for name, value in asdict(settings).items() for word in as_words(name, value)]
    counts = ["--per-class", *map(str, per_class)]
    return {
        "benchmark": "transfer",
        "command": shlex.join(["python", "-m", "benchmarks", "transfer", *words, *counts]),
        "settings": asdict(settings),
        "known_classes": KNOWN,
        "new_classes": NEW,
        "start_test_error_percent": start["test_error_percent"],
        "summary": summarise(results),
        "results": results,
        "environment": describe_environment() | {"commit": current_commit()},
    }
