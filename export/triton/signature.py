"""What an ONNX file takes and gives, as its graph says, in Triton's words."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import TensorProto

from resnet_core.errors import ModelError

DATA_TYPES = {
    TensorProto.BOOL: "TYPE_BOOL",
    TensorProto.UINT8: "TYPE_UINT8",
    TensorProto.INT8: "TYPE_INT8",
    TensorProto.INT32: "TYPE_INT32",
    TensorProto.INT64: "TYPE_INT64",
    TensorProto.FLOAT16: "TYPE_FP16",
    TensorProto.BFLOAT16: "TYPE_BF16",
    TensorProto.FLOAT: "TYPE_FP32",
    TensorProto.DOUBLE: "TYPE_FP64",
}


@dataclass(frozen=True)
class Tensor:
    """One input or output of a model that takes batches."""

    name: str
    data_type: str
    """Triton's name of it, such as TYPE_UINT8."""
    dims: tuple[int, ...]
    """Without the batch axis, as Triton wants them where it makes the batches."""


@dataclass(frozen=True)
class Signature:
    """A model's inputs and outputs, and the arithmetic its file was made for."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    precision: str
    """FP32, FP16 or INT8: what the file's own weights and nodes say."""


def read_signature(data: bytes) -> Signature:
    """The signature of an ONNX file that opens, given its bytes.

    Raises:
        ModelError: it does not take batches, or not of one fixed size of image.
    """
    graph = onnx.load_model_from_string(data).graph
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    return Signature(
        tuple(_read_tensor(value) for value in inputs),
        tuple(_read_tensor(value) for value in graph.output),
        _precision(graph),
    )


def _read_tensor(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    data_type = DATA_TYPES.get(kind.elem_type)
    if data_type is None:
        raise ModelError(
            f"'{value.name}' is of {TensorProto.DataType.Name(kind.elem_type)}, "
            "which Triton can't pass on: export the model with uint8 in and float32 out."
        )
    sizes = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim]
    if not sizes or sizes[0] != -1 or any(size < 1 for size in sizes[1:]):
        raise ModelError(
            f"'{value.name}' has the shape {sizes}, but Triton can only gather batches where the "
            "first axis alone is free (-1): export the model with `python -m export onnx`."
        )
    return Tensor(value.name, data_type, tuple(sizes[1:]))


def _precision(graph: onnx.GraphProto) -> str:
    if any(node.op_type == "QuantizeLinear" for node in graph.node):
        return "INT8"
    if any(tensor.data_type == TensorProto.FLOAT16 for tensor in graph.initializer):
        return "FP16"
    return "FP32"
