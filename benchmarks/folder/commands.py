"""`python -m benchmarks folder`: this kit's folder of pictures against a plain loop."""

from __future__ import annotations

import argparse
import json
from typing import Any

from resnet_core.console import Commands

PICTURES = {"small": 4000, "1mp": 800, "12mp": 100, "mix": 300}
"""Of each kind where no number is given: seconds, not minutes, for the plain loop."""
ALL = "all"


def add_folder(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "a folder of pictures, classified by this kit and by a plain loop; or its memory"
    parser = commands.add_parser("folder", help=text, description=text)
    parser.add_argument("--model", default="resnet20_v1")
    parser.add_argument("--engine", default="", help="ours (default: the fastest that agrees)")
    parser.add_argument(
        "--kind", choices=(*PICTURES, ALL), default="mix",
        help="32 to 256 pixels, 1 or 12 megapixels, or three, four and three of ten (default: mix)",
    )  # fmt: skip
    parser.add_argument(
        "--pictures", type=int, help="JPEGs (default: by kind, so that a round takes seconds)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="pairs of measurements (default: 5)")
    parser.add_argument(
        "--memory", action="store_true", help="no rounds: memory over one run (10,000 pictures)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON, a list")
    parser.set_defaults(execute=_folder)


def _folder(options: argparse.Namespace) -> None:
    results = []
    for kind in PICTURES if options.kind == ALL else (options.kind,):
        results.append(_measure(kind, options))
        if not options.json:
            print(as_text(results[-1]), flush=True)
    if options.json:
        print(json.dumps(results, indent=2))


def _measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    from benchmarks.folder.compare import Rivals, compare_folder, measure_memory

    if options.memory:
        pictures = 10_000 if options.pictures is None else options.pictures
        return measure_memory(options.model, options.engine, kind, pictures)
    pictures = PICTURES[kind] if options.pictures is None else options.pictures
    return compare_folder(Rivals(options.model, options.engine, kind, pictures, options.rounds))


def as_text(result: dict[str, Any]) -> str:
    """Speed and agreement, or memory, a line each."""
    head = f"{result['kind']}, {result['pictures']:,} pictures, {result['model']} on {result['engine']}"
    if "ratio" in result:
        return f"{head}\n  {_speed(result)}"
    return f"{head}\n  {_memory(result)}"


def _speed(result: dict[str, Any]) -> str:
    return (
        f"ours {result['ours_pictures_per_second']:,.1f} pictures/s, a plain loop "
        f"{result['theirs_pictures_per_second']:,.1f} pictures/s, ratio {result['ratio']:.2f} "
        f"({result['ratio_lowest']:.2f} to {result['ratio_highest']:.2f} over "
        f"{len(result['rounds']['ours'])} rounds)\n"
        f"  same class: {result['same_class_percent']:.2f} %"
    )


def _memory(result: dict[str, Any]) -> str:
    slope, width = result["slope_mb_per_1000_pictures"], result["slope_half_width_mb"]
    growth = (
        "too few to say how it grows"
        if slope is None
        else f"{slope:+.2f} ± {width:.2f} MB for each 1,000 more in the second half (95 %)"
    )
    return (
        f"memory: {result['peak_mb']:,.0f} MB at most, {growth}; "
        f"{result['ours_pictures_per_second']:,.1f} pictures/s"
    )
