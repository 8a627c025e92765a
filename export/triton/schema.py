"""The part of Triton's `ModelConfig` that our repositories use, and reading it from text.

A table of our own, since the whole of model_config.proto comes with Triton's client alone. It is
strict on purpose: a field that is misspelt, or none of these, is refused with its line. A map is
written as a list of keys and values, which in text is the same.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

from resnet_core.errors import ModelError

# field → type; * for many. Numbers of fields mean nothing in text.
MESSAGES = {
    "ModelConfig": {
        "name": "string", "platform": "string", "backend": "string",
        "default_model_filename": "string", "max_batch_size": "int32",
        "input": "ModelInput*", "output": "ModelOutput*",
        "dynamic_batching": "ModelDynamicBatching", "instance_group": "ModelInstanceGroup*",
        "model_warmup": "ModelWarmup*", "optimization": "ModelOptimizationPolicy",
        "parameters": "Parameter*",
    },
    "ModelInput": {"name": "string", "data_type": "DataType", "dims": "int64*"},
    "ModelOutput": {
        "name": "string", "data_type": "DataType", "dims": "int64*", "label_filename": "string",
    },
    "ModelDynamicBatching": {
        "preferred_batch_size": "int32*", "max_queue_delay_microseconds": "uint64",
    },
    "ModelInstanceGroup": {"count": "int32", "kind": "Kind", "gpus": "int32*"},
    "ModelWarmup": {"name": "string", "batch_size": "uint32", "inputs": "WarmupEntry*"},
    "WarmupEntry": {"key": "string", "value": "WarmupInput"},
    "WarmupInput": {
        "data_type": "DataType", "dims": "int64*", "zero_data": "bool", "random_data": "bool",
    },
    "ModelOptimizationPolicy": {"execution_accelerators": "ExecutionAccelerators"},
    "ExecutionAccelerators": {
        "gpu_execution_accelerator": "Accelerator*", "cpu_execution_accelerator": "Accelerator*",
    },
    "Accelerator": {"name": "string", "parameters": "AcceleratorParameter*"},
    "AcceleratorParameter": {"key": "string", "value": "string"},
    "Parameter": {"key": "string", "value": "ModelParameter"},
    "ModelParameter": {"string_value": "string"},
}  # fmt: skip
ENUMS = {
    "DataType": (
        "TYPE_INVALID", "TYPE_BOOL", "TYPE_UINT8", "TYPE_UINT16", "TYPE_UINT32", "TYPE_UINT64",
        "TYPE_INT8", "TYPE_INT16", "TYPE_INT32", "TYPE_INT64", "TYPE_FP16", "TYPE_FP32",
        "TYPE_FP64", "TYPE_STRING", "TYPE_BF16",
    ),
    "Kind": ("KIND_AUTO", "KIND_GPU", "KIND_CPU", "KIND_MODEL"),
}  # fmt: skip


def parse_config(text: str) -> Any:
    """A `ModelConfig` from the text of a config.pbtxt.

    Raises:
        ModelError: it is not protobuf text, or has a field that is not in the table.
    """
    try:
        return text_format.Parse(text, _config_class()())
    except text_format.ParseError as error:
        raise ModelError(
            f"config.pbtxt does not read as Triton's ModelConfig, with the fields known here "
            f"({error})."
        ) from None


@cache
def _config_class() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="served_model.proto", package="served")
    for name, values in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            _add_field(message, field, number, kind)
    pool = (
        descriptor_pool.DescriptorPool()
    )  # of its own: the client's real schema may be loaded too
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("served.ModelConfig"))


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    types = descriptor_pb2.FieldDescriptorProto
    plain = kind.rstrip("*")
    field = message.field.add(name=name, number=number)
    field.label = types.LABEL_REPEATED if kind.endswith("*") else types.LABEL_OPTIONAL
    if plain in MESSAGES or plain in ENUMS:
        field.type = types.TYPE_MESSAGE if plain in MESSAGES else types.TYPE_ENUM
        field.type_name = f".served.{plain}"
    else:
        field.type = getattr(types, f"TYPE_{plain.upper()}")
