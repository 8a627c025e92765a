"""`python -m resnet_core imported`: list imported models, delete one, bring the last one back."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from resnet_core.console import Commands
from resnet_core.doctor.remove import (
    bring_back,
    delete_imported,
    imported_named,
    size_megabytes,
    what_goes,
)
from resnet_core.errors import ModelError
from resnet_core.training.config import default_runs_folder
from resnet_core.zoo import imported_entries


def add_imported_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "list, delete and bring back imported models"
    parser = commands.add_parser("imported", help=text, description=text)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    for name, execute, help_text in (
        ("list", _list, "all imported models"),
        ("delete", _delete, "delete one, after asking"),
        ("bring-back", _bring_back, "undo the last deletion"),
    ):
        action = actions.add_parser(name, help=help_text, description=help_text)
        action.add_argument(
            "--runs", type=Path, default=default_runs_folder(),
            help="whose folder 'imported' they are in (default: $RESNET_LAB_RUNS or ./runs)",
        )  # fmt: skip
        if execute is _delete:
            action.add_argument("model", metavar="MODEL", help="its name")
            action.add_argument("--yes", action="store_true", help="do not ask")
        action.set_defaults(execute=execute)


def _list(options: argparse.Namespace) -> None:
    entries = imported_entries(options.runs)
    for entry in entries:
        print(f"{entry.name}  {entry.card['name']}, {size_megabytes(entry):.1f} MB")
    if not entries:
        print("No model is imported yet: python -m resnet_core import FILE")


def _delete(options: argparse.Namespace) -> None:
    entry = imported_named(options.model, options.runs)
    if not options.yes:
        if not sys.stdin.isatty():
            raise ModelError(f"Nobody can say whether {entry.name} may go: say --yes.")
        if input(f"Delete {what_goes(entry)}? [y/N] ").strip().lower() != "y":
            print("Nothing was deleted.")
            return
    delete_imported(entry.name, options.runs)
    print(
        f"Deleted {entry.name}. Until another is deleted, "
        "`python -m resnet_core imported bring-back` undoes it."
    )


def _bring_back(options: argparse.Namespace) -> None:
    print(f"{bring_back(options.runs)} is back.")
