"""Where an exported net's parts are in its graph: stem, stages, pooled features, classifier.

Read from the graph alone: the names that its weights came with say which stage they belong to,
and the way back from `logits` leads to what is pooled. The file stays as it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from resnet_core.errors import ModelError

# What lies between pooling and classifier changes the shape, not the numbers.
RESHAPES = {"Reshape", "Flatten", "Squeeze", "Identity", "Gather"}
POOLINGS = {"ReduceMean", "GlobalAveragePool"}
_STAGE = re.compile(r"(?:^|\.)(?:stage|layer)(\d+)\.")
_HEAD = re.compile(r"(?:^|\.)pre_logits\.")


@dataclass(frozen=True)
class GraphParts:
    """Names of tensors in the graph, and the classifier's weights."""

    features: str
    """What is averaged over all places before the classifier: (N, channels, h, w)."""
    weights: NDArray[np.float32]
    """(classes, channels)."""
    bias: NDArray[np.float32]
    """(classes,)."""
    stages: tuple[tuple[str, str], ...]
    """A title and the tensor it comes out as, (N, channels, h, w), in the order of the net."""


def find_parts(model: onnx.ModelProto, origin: Path) -> GraphParts:
    """Find what is needed to look inside.

    Args:
        origin: the file, for messages.

    Raises:
        ModelError: the net does not end in average pooling and one linear layer, or its weights
            are not stored in fp32.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    linear = makers.get("logits")
    if linear is None or linear.op_type != "Gemm" or not {*linear.input[1:]} <= stored.keys():
        raise refuse(origin)
    pooled = makers.get(linear.input[0])
    while pooled is not None and pooled.op_type in RESHAPES:
        pooled = makers.get(pooled.input[0])
    if pooled is None or pooled.op_type not in POOLINGS:
        raise refuse(origin)
    weights, bias = _classifier(linear, stored, origin)
    features = pooled.input[0]
    return GraphParts(features, weights, bias, _stages(model, {*stored}, features))


def refuse(origin: Path) -> ModelError:
    """Why a net can't be looked into."""
    return ModelError(
        f"{origin.name} can't be looked into: that takes a net that ends in average pooling and "
        "one linear layer, with weights in fp32, as `python -m export onnx MODEL` writes it."
    )


def _classifier(
    linear: onnx.NodeProto, stored: dict[str, onnx.TensorProto], origin: Path
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    settings = {a.name: onnx.helper.get_attribute_value(a) for a in linear.attribute}
    weights = numpy_helper.to_array(stored[linear.input[1]])
    if settings.get("transA", 0) or weights.ndim != 2 or weights.dtype != np.float32:
        raise refuse(origin)
    weights = weights if settings.get("transB", 0) else weights.T
    bias = np.zeros(len(weights), np.float32)
    if len(linear.input) == 3:
        bias = numpy_helper.to_array(stored[linear.input[2]])
    return settings.get("alpha", 1.0) * weights, settings.get("beta", 1.0) * bias


def _stages(model: onnx.ModelProto, stored: set[str], features: str) -> tuple[tuple[str, str], ...]:
    """What comes out of a stage is what the first layer after it takes in."""
    entered: dict[str, str] = {}
    for node in model.graph.node:
        flowing = [name for name in node.input if name and name not in stored]
        for title in filter(None, map(_after, node.input)):
            if flowing:
                entered.setdefault(title, flowing[0])
    titles = sorted(title for title in entered if title.startswith("Stage"))
    ends = [entered[title] for title in titles] + [entered.get("Head", features)]
    return (
        tuple(zip(["Stem", *titles], ends, strict=True)) if titles else (("Last stage", features),)
    )


def _after(weight: str) -> str:
    """The part of the net that a weight belongs to, by its name; empty for the stem and others."""
    if found := _STAGE.search(weight):
        return f"Stage {found[1]}"
    return "Head" if _HEAD.search(weight) else ""
