"""`python -m resnet_core models`: every net that has a name, and what it costs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import Any

from resnet_core.models.config import ALL_FAMILIES, FAMILIES, ModelConfig, parse_model_name
from resnet_core.models.photo_families import photo_nets
from resnet_core.options import add_options

TEXT = "list the nets: layers, parameters, multiply-adds"


def add_show(parser: argparse.ArgumentParser) -> None:
    add_options(parser, ModelConfig, only=["shortcut"])
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def show(options: argparse.Namespace) -> None:
    from resnet_core.models.cost import count_cost

    rows: list[dict[str, Any]] = []
    for config in _listed(options.shortcut):
        cost = count_cost(config)
        rows.append(
            {
                "name": config.name,
                "layers": config.depth,
                "params": cost.params,
                "multiply_adds": cost.multiply_adds,
                "input_size": config.input_size,
                "paper": ALL_FAMILIES[config.family].paper,
            }
        )
    if options.json:
        print(json.dumps(rows))
        return
    print(
        f"{'name':18} {'layers':>6} {'parameters':>11} {'multiply-adds':>14} {'input':>9}  source"
    )
    for row in rows:
        print(describe_row(row))


def _listed(shortcut: str) -> Iterator[ModelConfig]:
    """The nets of the table: CIFAR nets with this shortcut, then those for photos."""
    for family in FAMILIES.values():
        if shortcut == "tutorial" and family.key == "highway":
            continue
        for depth in family.example_depths:
            yield ModelConfig(family.key, depth, shortcut)
    yield from map(parse_model_name, photo_nets())


def describe_row(row: dict[str, Any]) -> str:
    """One net in a line, with units."""
    params = f"{row['params'] / 1e6:.2f} M"
    adds = f"{row['multiply_adds'] / 1e6:,.1f} M"
    side = f"{row['input_size']} × {row['input_size']}"
    return f"{row['name']:18} {row['layers']:6} {params:>11} {adds:>14} {side:>9}  {row['paper']}"
