"""From an engine's names for what it runs back to the net's layers, by way of the exported graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

WEIGHT = re.compile(r"model\.network\.(.+)\.weight")
ENDS_NAME = "_/."  # engines add to the graph's names after one of these


def layer_finder(file: Path) -> Callable[[str], str]:
    """A function from an engine's name for a node to a layer of the net, or empty.

    Engines name what they fuse by a node or a value of the graph, with words of their own behind.
    """
    import onnx  # classifying must not wait for it

    layers = _layers_by_name(onnx.load(file, load_external_data=False))
    return lambda name: _find(name, layers)


def _find(name: str, layers: Mapping[str, str]) -> str:
    known = name
    while known not in layers:
        end = max(known.rfind(mark) for mark in ENDS_NAME)
        if end <= 0:
            return ""
        known = known[:end]
    return layers[known]


def _layers_by_name(model: onnx.ModelProto) -> dict[str, str]:
    """Of each node and value: the layer whose weights it was made with, or was made from last."""
    found: dict[str, str] = {"image": "input"}
    for node in model.graph.node:
        own = next((m[1] for name in node.input if (m := WEIGHT.match(name))), None)
        before = (found[name] for name in node.input if name in found)
        layer = own or next(before, "")
        for name in (node.name, *node.output):
            found[name] = layer
    return found
