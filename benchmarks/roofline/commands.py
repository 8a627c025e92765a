"""`python -m benchmarks roofline`: what nets cost, what this machine can do, how near results come."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet_core.console import Commands
from resnet_core.errors import ConfigError, ModelError
from resnet_core.training.config import default_runs_folder

if TYPE_CHECKING:
    from benchmarks.roofline.counting import Counted

FORMAT = "resnet-lab-roofline-1"
# Chips of several generations may have one name; what they can do tells them apart.
SAME_MACHINE = ("cpu", "features", "cores", "gpu")
Row = dict[str, Any]


def add_roofline(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "multiply-adds and bytes of nets, what this machine can do, and how near results come"
    parser = commands.add_parser("roofline", help=text, description=text)
    parser.add_argument(
        "--models", default="", help="such as resnet20_v1,highway32 (default: the results', or resnet20_v1)"
    )  # fmt: skip
    parser.add_argument(
        "--throughput", type=Path, help="results of `throughput --json` on this very machine"
    )
    parser.add_argument(
        "--threads", default="all", help="such as 1,all, besides the results' (default: all)"
    )
    parser.add_argument("--layers", action="store_true", help="print every layer as well")
    parser.add_argument("--runs", type=Path, default=default_runs_folder(), help="folder of runs")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.set_defaults(execute=_roofline)


def _roofline(options: argparse.Namespace) -> None:
    from benchmarks.roofline.lines import describe
    from benchmarks.roofline.machine import measure_machine
    from benchmarks.roofline.rows import place_rows
    from benchmarks.throughput.cases import parse_threads
    from resnet_core.files import write_json
    from resnet_core.training.hardware import describe_environment
    from resnet_core.training.run import current_commit

    environment = describe_environment() | {"commit": current_commit()}
    results = read_results(options.throughput, environment) if options.throughput else []
    threads = [parse_threads(said) for said in _words(options.threads)]
    threads += [parse_threads(str(row["threads"])) for row in results]
    names = _words(options.models) + [row["model"] for row in results] or ["resnet20_v1"]
    counted = {name: count_named(name, options.runs) for name in dict.fromkeys(names)}
    machine = measure_machine(list(dict.fromkeys(threads)))
    stored = {
        "format": FORMAT,
        "environment": environment,
        "machine": machine.to_dict(),
        "models": [{"model": name, **net.to_dict()} for name, net in counted.items()],
        "rows": place_rows(results, counted, machine),
    }
    for line in describe(stored, options.layers):
        print(line)
    if options.json:  # last: a file that can't be written loses no figure
        write_json(options.json, stored)


def _words(text: str) -> list[str]:
    return [word for word in text.replace(" ", "").split(",") if word]


def count_named(name: str, runs: Path) -> Counted:
    """Count a shipped model, a run, an exported or weights file, or any net that can be built.

    Raises:
        ConfigError: there is nothing of that name.
    """
    from benchmarks.roofline.counting import count_network
    from resnet_core.models.config import parse_model_name
    from resnet_core.training.find import find_model, find_weights_beside

    try:
        is_exported = Path(name).suffix == ".onnx"
        file = str(find_weights_beside(Path(name))) if is_exported else name
        config = find_model(file, runs).saved.model.config
    except ModelError:
        config = parse_model_name(name)
    return count_network(config)


def read_results(path: Path, here: Row) -> list[Row]:
    """The measured rows of a throughput file.

    Args:
        here: this machine's environment, which has to be the file's.

    Raises:
        ConfigError: not such a file, nothing measured in it, or measured on another machine.
    """
    from benchmarks.roofline.rows import is_measured
    from benchmarks.throughput.machine import features_of
    from benchmarks.throughput.stored import read_speed

    stored = read_speed(path)
    there = stored.environment
    facts = there | {"features": ", ".join(features_of(there))}
    own = here | {"features": ", ".join(features_of(here))}
    others = [key for key in SAME_MACHINE if facts.get(key) != own.get(key)]
    if others:
        said = "; ".join(f"{key} {facts.get(key)} there, {own.get(key)} here" for key in others)
        raise ConfigError(
            f"{path} was measured on another machine ({said}): run this command on that one."
        )
    measured = [row for row in stored.rows if is_measured(row)]
    if not measured:
        raise ConfigError(f"{path} holds no measured row: run `throughput` to its end first.")
    return measured
