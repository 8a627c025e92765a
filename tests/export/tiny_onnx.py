"""Small ONNX files in the app's form, built by hand: no torch, any size, type and number of classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.session import FORMAT

ANIMALS = ["ant", "bee", "crow", "dove"]


def write_tiny_onnx(
    path: Path,
    class_names: list[str],
    size: int = 6,
    precision: str = "FP32",
    batch: str | int = "N",
) -> Path:
    """image uint8 (batch, size, size, 3) → logits and probabilities, float32 (batch, classes)."""
    rng = np.random.default_rng(5)
    width, classes = 3 * size * size, len(class_names)
    weights = rng.normal(0, 0.01, (width, classes)).astype(
        np.float16 if precision == "FP16" else np.float32
    )
    cast = TensorProto.FLOAT16 if precision == "FP16" else TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=cast),
        helper.make_node("Flatten", ["pixels"], ["flat"]),
    ]
    initializers = [numpy_helper.from_array(weights, "weights")]
    if precision == "INT8":
        nodes += [
            helper.make_node("QuantizeLinear", ["flat", "scale", "zero"], ["steps"]),
            helper.make_node("DequantizeLinear", ["steps", "scale", "zero"], ["rounded"]),
        ]
        initializers += [
            numpy_helper.from_array(np.float32(2.0), "scale"),
            numpy_helper.from_array(np.int8(0), "zero"),
        ]
    nodes += [
        helper.make_node(
            "MatMul", ["rounded" if precision == "INT8" else "flat", "weights"], ["m"]
        ),
        helper.make_node("Cast", ["m"], ["logits"], to=TensorProto.FLOAT),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [batch, size, size, 3])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, classes])
            for name in ("logits", "probabilities")
        ],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    facts = {
        "format": FORMAT, "name": "tiny", "family": "plain", "depth": "1",
        "class_names": json.dumps(class_names), "input_size": str(size), "source": "a test",
        "data": "none", "test_error_percent": "",
    }  # fmt: skip
    helper.set_model_props(model, facts)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path
