"""`python -m benchmarks profile`: an engine's time, layer by layer."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet_core.console import Commands
from resnet_core.errors import ConfigError

FORMAT = "resnet-lab-profile-1"


def add_profile(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "where an engine's time goes: milliseconds by layer"
    parser = commands.add_parser("profile", help=text, description=text)
    parser.add_argument("--model", default="resnet20_v1", help="a shipped model, a run or a file")
    parser.add_argument(
        "--engine", default="onnxruntime-cpu", help="such as openvino-cpu:bf16 (default: onnxruntime-cpu)"
    )  # fmt: skip
    parser.add_argument("--batch-size", type=int, default=32, help="images in a run (default: 32)")
    parser.add_argument("--threads", default="all", help="a number, or all (default: all)")
    parser.add_argument("--repeats", type=int, default=20, help="runs measured (default: 20)")
    parser.add_argument("--operations", action="store_true", help="print operations, not layers")
    parser.add_argument("--json", type=Path, help="write everything to this file")
    parser.set_defaults(execute=_profile)


def _profile(options: argparse.Namespace) -> None:
    from benchmarks.roofline.layer_times import describe, profile_engine
    from benchmarks.throughput.cases import ALL, parse_threads
    from export.catalogue import find_exported
    from export.engines.catalogue import find_choice, library_versions
    from export.session import OnnxSession
    from resnet_core.files import write_json
    from resnet_core.training.hardware import describe_environment
    from resnet_core.training.run import current_commit

    _check(options)
    threads = parse_threads(options.threads)
    choice = find_choice(options.engine)
    file = find_exported(options.model).file
    size = OnnxSession(file, "cpu").facts.input_size
    stored = {
        "format": FORMAT,
        "environment": describe_environment() | library_versions() | {"commit": current_commit()},
        "model": options.model,
        "engine": choice.engine.key,
        "precision": choice.precision,
        "threads": threads or ALL,
        "batch_size": options.batch_size,
        **profile_engine(choice, file, size, options.batch_size, threads, options.repeats),
    }
    for line in describe(stored, options.operations):
        print(line)
    if options.json:  # last: a file that can't be written loses no figure
        write_json(options.json, stored)


def _check(options: argparse.Namespace) -> None:
    problems = [
        f"--{name.replace('_', '-')} should be at least 1, not {getattr(options, name)}."
        for name in ("batch_size", "repeats")
        if getattr(options, name) < 1
    ]
    if problems:
        raise ConfigError(problems)
