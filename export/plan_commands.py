"""`python -m export tune` and `plan`: measure the engines once, then choose by what was found."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from resnet_core.console import Commands
from resnet_core.errors import ConfigError
from resnet_core.training.config import DATA_FOLDER_HELP


def add_tuning(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "find the fastest engine here that gives a model's answers; `classify` then uses it"
    tune = commands.add_parser("tune", help=text, description=text)
    tune.add_argument("models", nargs="*", metavar="MODEL", help="(default: all that ship)")
    tune.add_argument("--again", action="store_true", help="also where it was measured before")
    tune.add_argument("--data-folder", type=Path, help=DATA_FOLDER_HELP)
    tune.add_argument("--json", action="store_true", help="print a JSON list")
    tune.set_defaults(execute=_tune)

    text = "which model on which engine answers within a limit, of those that `tune` measured"
    plan = commands.add_parser("plan", help=text, description=text)
    plan.add_argument("--latency-ms", type=float, required=True, help="most at the 99th percentile")
    plan.add_argument("--error", type=float, required=True, help="most test error, in percent")
    plan.add_argument("--json", action="store_true", help="print one JSON object")
    plan.set_defaults(execute=_plan)


def _tune(options: argparse.Namespace) -> int:
    from export.catalogue import find_exported
    from export.tuned import cache_file, cache_folder, read_tuned
    from resnet_core.locks import hold
    from resnet_core.training.config import default_data_folder

    models = [find_exported(name) for name in options.models or _shipped()]
    data_folder = options.data_folder or default_data_folder()
    told = []
    # One at a time on a machine: two would measure each other.
    with hold(cache_folder() / ".lock"):
        for exported in models:
            if options.again:
                cache_file(exported.file).unlink(missing_ok=True)
            if _should_measure(exported, data_folder):
                _measure(exported, data_folder)
            found = read_tuned(exported.file)
            assert found is not None
            told.append({"model": exported.name, **vars(found)})
            if not options.json:
                print(_as_table(exported.name, found))
    if options.json:
        print(json.dumps(told, indent=2))
    return 0


def _shipped() -> list[str]:
    from resnet_core.zoo import zoo_entries

    return [entry.name for entry in zoo_entries()]


def _should_measure(exported: Any, data_folder: Path) -> bool:
    """Whether nothing was measured yet, or no errors, for want of test images that are here now."""
    from export.gate import find_gate, has_test_images
    from export.session import OnnxSession
    from export.tuned import read_tuned

    found = read_tuned(exported.file)
    if found is None:
        return True
    if any(row["test_error_percent"] is not None for row in found.rows):
        return False
    facts = OnnxSession(exported.file, "cpu").facts
    are_here = has_test_images(facts.data, data_folder)
    return are_here and find_gate(facts, data_folder).labels is not None


def _measure(exported: Any, data_folder: Path) -> None:
    from export.gate import find_gate
    from export.session import OnnxSession
    from export.tune import tune

    facts = OnnxSession(exported.file, "cpu").facts
    for line in tune(exported, find_gate(facts, data_folder)):
        if sys.stderr.isatty():
            print(f"\r\033[K{exported.name}: {line}", end="", file=sys.stderr, flush=True)


def _as_table(name: str, found: Any) -> str:
    lines = [f"{name}, answers compared on {found.gate}"]
    for row in found.rows:
        key = f"{row['engine']}:{row['precision']}"
        mark = "*" if key == found.chosen else " "
        lines.append(f" {mark} {key:26} {_figures(row)}")
    return "\n".join(lines)


def _figures(row: dict[str, Any]) -> str:
    if not row["valid"]:
        return f"not used: {row['reason']}"
    return (
        f"{row['p50_ms']:8.2f} ms, {row['images_per_second']:8,.0f} images/s in batches, "
        f"{row['agreement_percent']:.2f} % the same answers"
    )


def _plan(options: argparse.Namespace) -> int:
    from export.catalogue import list_exported
    from export.plan import Limits, options_of, plan
    from export.tuned import read_tuned

    if not (options.latency_ms > 0 and options.error > 0):
        raise ConfigError("--latency-ms and --error should be more than 0.")
    measured = [found for model in list_exported() if (found := read_tuned(model.file))]
    chosen = plan(options_of(measured), Limits(options.latency_ms, options.error))
    command = f"python -m export classify PICTURE --model {chosen.model} --engine {chosen.engine}"
    if options.json:
        print(json.dumps(vars(chosen) | {"command": command}, indent=2))
    else:
        print(f"{chosen}\n{command}")
    return 0
