"""`python -m benchmarks throughput`: every engine on every model, measured in turn."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.throughput.settings import SpeedSettings, split_words
from benchmarks.throughput.stored import spread_in_words, without_copies
from resnet_core.console import Commands
from resnet_core.plural import counted
from resnet_core.training.config import DATA_FOLDER_HELP, default_data_folder

DEFAULTS = SpeedSettings()


def add_throughput(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "images a second and latency of every engine, answers checked first"
    parser = commands.add_parser("throughput", help=text, description=text)
    parser.add_argument(
        "--models", type=split_words, default=DEFAULTS.models,
        help="shipped models or runs (default: resnet20_v1)",
    )  # fmt: skip
    parser.add_argument(
        "--engines", type=split_words, default=DEFAULTS.engines,
        help="all, or such as openvino-cpu:bf16 (default: all)",
    )  # fmt: skip
    parser.add_argument(
        "--batch-sizes", type=split_words, default=DEFAULTS.batch_sizes,
        help="images in one call (default: 1,8,32,128)",
    )  # fmt: skip
    parser.add_argument(
        "--threads", type=split_words, default=DEFAULTS.threads,
        help="such as 1,all (default: all)",
    )  # fmt: skip
    for name, kind, unit in (
        ("rounds", int, "in each process"), ("processes", int, "of each engine"),
        ("seconds", float, "of a measurement"), ("gate-images", int, "whose answers are compared"),
    ):  # fmt: skip
        value = getattr(DEFAULTS, name.replace("-", "_"))
        parser.add_argument(
            f"--{name}", type=kind, default=value, help=f"{unit} (default: {value:g})"
        )
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(), help=DATA_FOLDER_HELP
    )
    parser.add_argument(
        "--json", type=Path, help="write environment and rows to this file, while they come"
    )
    parser.set_defaults(execute=_throughput)


def settings_of(options: argparse.Namespace) -> SpeedSettings:
    return SpeedSettings(**{name: getattr(options, name) for name in DEFAULTS.to_dict()})


def _throughput(options: argparse.Namespace) -> None:
    from benchmarks.throughput import running
    from benchmarks.throughput.record import Record, interrupted_by_terminate

    settings = settings_of(options)
    method = settings.method()
    with interrupted_by_terminate():
        results = running.plan_results(settings)
        facts = running.model_facts(settings)
        gate = running.load_gate(facts[0].data, options.data_folder, settings.gate_images)
        about = {
            "environment": running.describe_here(),
            "command": settings.command,
            "settings": settings.to_dict(),
            "models": running.describe_models(settings, facts),
        }
        record = Record(options.json, about, method, results)
        record.write("comparing answers")
        try:
            for now in running.steps(settings, results, gate):
                record.note(now)
                _show(now)
        except KeyboardInterrupt:
            record.write("stopped")
            print(as_table(record.rows))
            raise
        record.write("", finished=True)
    print(as_table(record.rows))


def _show(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def as_table(rows: Sequence[dict[str, Any]]) -> str:
    """A line a case: images/s with its interval, and the median latency; or why there is none."""
    lines = []
    for row in rows:
        who = f"{row['model']:14} {row['engine']}:{row['precision']}"
        how = f"threads {row['threads']}, batch {row['batch_size']}"
        lines.append(f"{who:46} {how:24} {_figures(row)}")
    return "\n".join(lines)


def _figures(row: dict[str, Any]) -> str:
    if not row["valid"]:
        install = f" ({row['install']})" if row["install"] else ""
        return f"no figure: {row['reason']}{install}"
    if row["images_per_second"] is None:
        return "not measured yet"
    median = f", {row['p50_ms']:.2f} ms" if row["p50_ms"] is not None else ""
    count = row["disturbed_rounds"]
    disturbed = f", {counted(count, 'round')} disturbed" if count else ""
    copies = f", {said}" if (said := without_copies(row)) else ""
    return (
        f"{row['images_per_second']:10,.0f} images/s ({spread_in_words(row)})"
        f"{median}{copies}{disturbed}"
    )
