"""int8 as TensorRT takes it: signed and symmetric, every zero point 0.

TensorRT's explicit quantisation knows no unsigned activations and no zero points (NVIDIA, *TensorRT
developer guide*, "Working with quantized types"). A file of `export.quantise` is made for
processors: u8 activations with zero points, int32 biases. Here its QDQ nodes are rewritten, with
the ranges that calibration found.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

MOST = 127
"""The largest signed step; 255 of an unsigned one."""


def make_symmetric(model: onnx.ModelProto) -> None:
    """Rewrite a file of `write_int8` in place.

    An activation between −z·s and (255 − z)·s gets the step max(z, 255 − z)·s / 127; one that can't
    be negative keeps being cut off at zero, by a ReLU of its own. Weights keep their values and get
    a pair of nodes, biases become float32: both as TensorRT reads them.
    """
    _Rewriting(model.graph).run()


@dataclass
class _Rewriting:
    graph: onnx.GraphProto
    nodes: list[onnx.NodeProto] = field(default_factory=list)

    def run(self) -> None:
        self._stored = {each.name: numpy_helper.to_array(each) for each in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "DequantizeLinear" and node.input[0] in self._stored:
                self._constant(node)
            elif node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                self._activation(node)
            else:
                self.nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(self.nodes)
        self._drop_what_nobody_reads()

    def _constant(self, node: onnx.NodeProto) -> None:
        """A weight, int8 with a scale a channel, or a bias, int32."""
        whole, scale = (self._stored[name] for name in node.input[:2])
        exact = (whole.astype(np.float32).T * scale).T.astype(np.float32)
        if whole.dtype == np.int32:
            self._store(node.output[0], exact)
            return
        self._store(f"{node.output[0]}_exact", exact)
        parts = [f"{node.output[0]}_exact", *node.input[1:]]
        quantised = f"{node.output[0]}_quantised"
        axis = {each.name: each.i for each in node.attribute if each.name == "axis"}
        self.nodes.append(onnx.helper.make_node("QuantizeLinear", parts, [quantised], **axis))
        node.input[0] = quantised
        self.nodes.append(node)

    def _activation(self, node: onnx.NodeProto) -> None:
        scale, zero = (self._stored[name] for name in node.input[1:3])
        lowest = int(zero)
        step = np.float32(max(lowest, 255 - lowest) / MOST) * scale
        if lowest == 0 and node.op_type == "QuantizeLinear":
            cut = f"{node.output[0]}_cut"
            self.nodes.append(onnx.helper.make_node("Relu", [node.input[0]], [cut]))
            node.input[0] = cut
        node.input[1] = self._store(f"{node.input[1]}_symmetric", step.astype(np.float32))
        node.input[2] = self._store(f"{node.input[2]}_symmetric", np.zeros(scale.shape, np.int8))
        self.nodes.append(node)

    def _store(self, name: str, values: NDArray) -> str:
        if name not in self._stored:
            self._stored[name] = values
            self.graph.initializer.append(numpy_helper.from_array(values, name))
        return name

    def _drop_what_nobody_reads(self) -> None:
        read = {name for node in self.graph.node for name in node.input}
        kept = [each for each in self.graph.initializer if each.name in read]
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)
