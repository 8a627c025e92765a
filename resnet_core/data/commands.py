"""The command that prepares own images, and the lines that say what became of them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from resnet_core.console import Commands
from resnet_core.data.own_images import DEFAULT_SIZE, prepare_images
from resnet_core.data.own_store import PreparedImages
from resnet_core.errors import printable
from resnet_core.training.config import default_data_folder

FEW = 10
"""Left-out files that a summary names."""


def add_data_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "prepare own images for training, and show what they are"
    parser = commands.add_parser("images", help=text, description=text)
    parser.add_argument(
        "source", type=Path, help="folder of class folders, a zip of one, or an .npz as Keras's"
    )
    parser.add_argument(
        "--image-size", type=int, default=DEFAULT_SIZE,
        help="height and width in pixels (default: 32)",
    )  # fmt: skip
    parser.add_argument(
        "--test-share", type=float, default=0.2,
        help="share of each class for the test, where there is no test split (default: 0.2)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="chooses the test images (default: 0)")
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(),
        help="where the prepared set is stored (default: $RESNET_LAB_DATA or ./data)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=_images)


def _images(options: argparse.Namespace) -> None:
    prepared = prepare_with_progress(
        options.source, options.data_folder, options.image_size, options.test_share, options.seed
    )
    if options.json:
        print(json.dumps({"data": prepared.name, **prepared.report.to_dict()}))
    else:
        print(_as_table(prepared))


def prepare_with_progress(
    source: Path,
    data_folder: Path,
    image_size: int = DEFAULT_SIZE,
    test_share: float = 0.2,
    seed: int = 0,
) -> PreparedImages:
    """`prepare_images`, counting the pictures on standard error where that is a terminal."""

    def show(done: int, total: int) -> None:
        end = "\n" if done == total else ""
        print(f"\rReading pictures: {done:,} of {total:,}", end=end, file=sys.stderr, flush=True)

    progress = show if sys.stderr.isatty() else None
    return prepare_images(source, data_folder, image_size, test_share, seed, progress)


def describe_prepared(prepared: PreparedImages) -> str:
    """One line, and one more for each note and each of the first left-out files."""
    report = prepared.report
    line = (
        f"{prepared.name}: {len(report.classes)} classes, {report.train_images:,} training and "
        f"{report.test_images:,} test images of {report.image_size} x {report.image_size} pixels, "
        f"{report.left_out_total:,} left out"
    )
    return "\n".join([line, *_remarks(prepared, FEW)])


def _as_table(prepared: PreparedImages) -> str:
    report = prepared.report
    width = max(8, *(len(printable(c.name)) for c in report.classes))
    lines = [f"{'class':{width}} {'training':>9} {'test':>7}"]
    lines += [f"{printable(c.name):{width}} {c.train:9,} {c.test:7,}" for c in report.classes]
    lines.append(f"{'together':{width}} {report.train_images:9,} {report.test_images:7,}")
    lines += _remarks(prepared, len(report.left_out))
    size = f"{report.image_size} x {report.image_size} pixels"
    lines.append(f"Images of {size}. Train on them with --data {prepared.name}")
    return "\n".join(lines)


def _remarks(prepared: PreparedImages, most: int) -> list[str]:
    report = prepared.report
    lines = list(map(printable, report.notes))
    if report.duplicates:
        lines.append(
            f"Exact copies of other images: {report.duplicates:,}; all of a picture stay on one side."
        )
    lines += [f"Left out: {printable(f'{f.name}: {f.reason}')}" for f in report.left_out[:most]]
    if report.left_out_total > most:
        lines.append(f"… and {report.left_out_total - most:,} more left out.")
    return lines
