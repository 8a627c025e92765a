"""What `python -m export classify` does with `--csv`."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.folder.order import BATCH_SIZE, Order
from export.views import ONE
from resnet_core.errors import ConfigError


def add_folder_options(classify: argparse.ArgumentParser) -> None:
    classify.add_argument(
        "--csv", type=Path, metavar="FILE",
        help="write the answers to this table; folders are then classified with all that is in "
        "them, and an interrupted table is gone on with. Doubt is 1 - (first - second "
        "probability): 0 is sure, 1 is torn between two classes",
    )  # fmt: skip
    classify.add_argument("--again", action="store_true", help="start an existing table over")
    classify.add_argument(
        "--batch-size", type=int, default=BATCH_SIZE,
        help=f"pictures that the engine gets at once, with --csv (default: {BATCH_SIZE})",
    )  # fmt: skip


def classify_to_table(options: argparse.Namespace) -> int:
    """Write the table; the exit status is 2 where not one file could be read."""
    from export.folder.run import classify_folder
    from export.folder.show import show_folder

    if options.others or options.views != ONE:
        raise ConfigError(
            "--csv asks one model about each picture as it is: leave out --views and --with."
        )
    order = Order(
        tuple(options.pictures), options.csv, options.model, options.engine, options.top_k,
        options.batch_size, options.again,
    )  # fmt: skip
    ended = show_folder(classify_folder(order), options.json)
    return 0 if ended.unreadable < ended.files else 2
