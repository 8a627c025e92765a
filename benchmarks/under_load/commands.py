"""`python -m benchmarks under-load`: the app, many clients, a training and a benchmark at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.under_load.settings import UnderLoadSettings
from resnet_core.console import Commands
from resnet_core.options import add_options, given
from resnet_core.training.config import default_data_folder


def add_under_load(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "the app under load: clients over HTTP while a net trains and a benchmark runs"
    parser = commands.add_parser("under-load", help=text, description=text)
    add_options(parser, UnderLoadSettings)
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(),
        help="where data sets are (default: $RESNET_LAB_DATA or ./data)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.set_defaults(execute=_under_load)


def _under_load(options: argparse.Namespace) -> int:
    """1 where a question was lost, answered for another, refused or ended in an error."""
    from benchmarks.under_load.measure import measure
    from benchmarks.under_load.report import as_text, is_clean
    from resnet_core.files import write_json

    settings = UnderLoadSettings(**given(options, UnderLoadSettings))
    result = measure(settings, options.data_folder.resolve())
    if options.json:
        write_json(options.json, result)
    print(as_text(result))
    return 0 if is_clean(result) else 1
