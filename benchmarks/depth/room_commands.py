"""`python -m benchmarks room`: training throughput against the number of nets that train at a time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks.throughput.settings import split_words
from resnet_core.config_options import add_setting, config_of
from resnet_core.console import Commands
from resnet_core.errors import ConfigError
from resnet_core.files import write_json
from resnet_core.models.config import parse_model_name
from resnet_core.models.cost import count_cost
from resnet_core.training.config import TrainConfig


def add_room(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "training throughput against the number of nets that train at a time, in one process"
    parser = commands.add_parser("room", help=text, description=text)
    parser.add_argument(
        "--models", type=split_words, default=("resnet20_v1",),
        help="taken in turn, over again where there are fewer than train at a time "
        "(default: resnet20_v1)",
    )  # fmt: skip
    parser.add_argument(
        "--at-once", type=split_words, default=("1", "2", "4", "8"),
        help="nets that train at a time (default: 1,2,4,8)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="of each measurement (default: 5)"
    )
    parser.add_argument("--json", type=Path, help="write environment and rows to this file")
    add_setting(parser)
    parser.set_defaults(execute=_room, seed=0)


def _room(options: argparse.Namespace) -> None:
    from benchmarks.depth.room import throughput
    from resnet_core.training.hardware import choose_hardware, describe_environment

    numbers = _numbers(options.at_once)
    options.model = options.models[0]
    base = config_of(options)
    hardware = choose_hardware(base.device, base.precision, base.compile, 0)
    rows: list[dict[str, Any]] = []
    for number in numbers:
        configs = _nets(base, options.models, number)
        rates = throughput(configs, options.seconds)
        rows.append(_row(configs, rates))
        print(_line(rows[-1]), flush=True)
        if options.json:
            write_json(options.json, {"environment": describe_environment(hardware), "rows": rows})


def _numbers(words: Sequence[str]) -> list[int]:
    if not all(word.isdecimal() and int(word) for word in words):
        raise ConfigError(
            f"--at-once should be whole numbers from 1, such as 1,4,16; not {','.join(words)}."
        )
    return [int(word) for word in words]


def _nets(base: TrainConfig, models: Sequence[str], number: int) -> list[TrainConfig]:
    """That many nets, each with a seed of its own."""
    classes, size = base.model.classes, base.model.input_size
    nets = [
        replace(parse_model_name(name), classes=classes, input_size=size)
        for name in islice(cycle(models), number)
    ]
    return [replace(base, model=net, seed=seed) for seed, net in enumerate(nets)]


def _row(configs: Sequence[TrainConfig], rates: Sequence[float]) -> dict[str, Any]:
    work = [count_cost(config.model).multiply_adds for config in configs]
    return {
        "models": [config.model.name for config in configs],
        "at_once": len(configs),
        "images_per_second": list(rates),
        "forward_gmacs_per_second": sum(r * w for r, w in zip(rates, work, strict=True)) / 1e9,
    }


def _line(row: dict[str, Any]) -> str:
    names = ", ".join(dict.fromkeys(row["models"]))
    return (
        f"{row['at_once']:>3} at a time: {sum(row['images_per_second']):>9,.0f} images/s together, "
        f"{row['forward_gmacs_per_second']:>8,.0f} forward GMAC/s  ({names})"
    )
