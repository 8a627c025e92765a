"""`python -m benchmarks folder`: this kit's folder of pictures against a plain loop."""

from __future__ import annotations

import argparse
import json
from typing import Any

from resnet_core.console import Commands


def add_folder(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "a folder of pictures, classified by this kit and by a plain loop"
    parser = commands.add_parser("folder", help=text, description=text)
    parser.add_argument("--model", default="resnet20_v1")
    parser.add_argument("--engine", default="", help="ours (default: the fastest that agrees)")
    parser.add_argument(
        "--pictures", type=int, default=1000, help="JPEGs, half of a phone's size (default: 1000)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="pairs of measurements (default: 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=_folder)


def _folder(options: argparse.Namespace) -> None:
    from benchmarks.folder.compare import compare_folder

    result = compare_folder(options.model, options.engine, options.pictures, options.rounds)
    print(json.dumps(result, indent=2) if options.json else as_text(result))


def as_text(result: dict[str, Any]) -> str:
    """Speed, agreement and memory, a line each."""
    memory = result["memory"]
    slopes = [found for each in memory if (found := each["slope_mb_per_1000_pictures"]) is not None]
    peak = max(each["peak_mb"] or 0 for each in memory)
    growth = (
        f"{max(slopes):+.1f} MB for each 1,000 more" if slopes else "too few to say how it grows"
    )
    return "\n".join(
        (
            f"folder: ours {result['ours_pictures_per_second']:,.1f} pictures/s, a plain loop "
            f"{result['theirs_pictures_per_second']:,.1f} pictures/s, ratio {result['ratio']:.2f} "
            f"({result['ratio_lowest']:.2f} to {result['ratio_highest']:.2f} over {len(memory)} rounds)",
            f"same class: {result['same_class_percent']:.2f} % of {result['pictures']:,} pictures, "
            f"{result['model']} on {result['engine']}",
            f"memory: {peak:,.0f} MB at most, {growth} (second half of a run)",
        )
    )
