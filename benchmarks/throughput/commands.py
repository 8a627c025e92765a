"""`python -m benchmarks throughput`: every engine on every model, measured in turn."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.throughput.cases import ALL, Setup, plan_setups
from benchmarks.throughput.measure import Method, Result, check_answers, measure, workers
from benchmarks.throughput.probe import LoadProbe
from export.catalogue import find_exported
from export.engines.catalogue import find_choice, library_versions
from resnet_core.console import Commands
from resnet_core.errors import ConfigError
from resnet_core.files import write_json
from resnet_core.training.config import default_data_folder

REFERENCE = "pytorch-eager:fp32"
GATE_IMAGES = 10_000


def add_throughput(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "images a second and latency of every engine, answers checked first"
    parser = commands.add_parser("throughput", help=text, description=text)
    parser.add_argument(
        "--models", type=_words, default=["resnet20_v1"], help="shipped models or runs"
    )
    parser.add_argument(
        "--engines",
        type=_words,
        default=[ALL],
        help="all, or such as openvino-cpu:bf16 (default: all)",
    )
    parser.add_argument("--batch-sizes", type=_words, default=["1", "8", "32", "128"])
    parser.add_argument(
        "--threads", type=_words, default=[ALL], help="such as 1,all (default: all)"
    )
    parser.add_argument("--rounds", type=int, default=3, help="in each process (default: 3)")
    parser.add_argument("--processes", type=int, default=3, help="of each engine (default: 3)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a measurement (default: 1)")
    parser.add_argument("--gate-images", type=int, default=GATE_IMAGES, help="(default: 10000)")
    parser.add_argument("--data-folder", type=Path, default=default_data_folder())
    parser.add_argument("--json", type=Path, help="write environment and rows to this file")
    parser.set_defaults(execute=_throughput)


def _words(text: str) -> list[str]:
    return [word for word in text.replace(" ", "").split(",") if word]


def _throughput(options: argparse.Namespace) -> None:
    method = _method(options)
    for model in options.models:
        find_exported(model)
    setups = plan_setups(options.models, options.engines, options.threads)
    results = [Result(setup, reason=_obstacle(setup)) for setup in setups]
    with tempfile.TemporaryDirectory() as folder:
        for process in range(method.processes):
            with workers(results) as opened:
                if process == 0:
                    _gate(opened, options, Path(folder))
                for line in measure(opened, method, LoadProbe()):
                    _show(f"process {process + 1} of {method.processes}: {line}")
    rows = [row for result in results for row in result.rows(method.batch_sizes)]
    if options.json:
        write_json(options.json, {"environment": _environment(), "rows": rows})
    print(as_table(rows))


def _method(options: argparse.Namespace) -> Method:
    problems = [
        f"--{name.replace('_', '-')} should be at least 1, not {getattr(options, name)}."
        for name in ("rounds", "processes", "gate_images")
        if getattr(options, name) < 1
    ]
    if options.seconds <= 0:
        problems.append(f"--seconds should be more than 0, not {options.seconds:g}.")
    wrong = [size for size in options.batch_sizes if not size.isdigit() or int(size) < 1]
    if wrong:
        problems.append(f"Batch sizes are whole numbers from 1, not {', '.join(wrong)}.")
    if problems:
        raise ConfigError(problems)
    sizes = tuple(int(size) for size in options.batch_sizes)
    return Method(sizes, options.rounds, options.processes, options.seconds)


def _obstacle(setup: Setup) -> str:
    obstacle = setup.choice.obstacle
    if obstacle is None:
        return ""
    return f"{obstacle.reason} ({obstacle.install})" if obstacle.install else obstacle.reason


def _gate(opened: Sequence[Any], options: argparse.Namespace, folder: Path) -> None:
    """Put the same test images to the reference and to every engine."""
    images = folder / "images.npy"
    np.save(images, _gate_images(options))
    reference = find_choice(REFERENCE)
    expected = {}
    for model in options.models:
        with workers([Result(Setup(model, reference, 0))]) as [(_, worker)]:
            expected[model] = worker.classes(images)
    check_answers(opened, images, expected)


def _gate_images(options: argparse.Namespace) -> Any:
    from export.session import OnnxSession
    from resnet_core.data.dataset import load_dataset

    facts = [OnnxSession(find_exported(model).file, "cpu").facts for model in options.models]
    if len({(fact.data, fact.input_size) for fact in facts}) > 1:
        raise ConfigError(
            "These models were trained on different data: measure one kind at a time."
        )
    test = load_dataset(facts[0].data, options.data_folder).test
    return test.images[: options.gate_images].numpy()


def _environment() -> dict[str, Any]:
    from resnet_core.training.hardware import describe_environment
    from resnet_core.training.run import current_commit

    return describe_environment() | library_versions() | {"commit": current_commit()}


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
    if not row["valid"] or row["images_per_second"] is None:
        return f"no figure: {row['reason']}"
    disturbed = f", {row['disturbed_rounds']} rounds disturbed" if row["disturbed_rounds"] else ""
    return (
        f"{row['images_per_second']:10,.0f} images/s ({row['images_per_second_low']:,.0f} to "
        f"{row['images_per_second_high']:,.0f}), {row['p50_ms'] or float('nan'):.2f} ms{disturbed}"
    )
