"""What has to hold in a model's configuration, by itself and against the model file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from export.session import TensorFacts
from export.triton.schema import ENUMS

TYPES = {
    "tensor(bool)": "TYPE_BOOL",
    "tensor(uint8)": "TYPE_UINT8",
    "tensor(int8)": "TYPE_INT8",
    "tensor(int32)": "TYPE_INT32",
    "tensor(int64)": "TYPE_INT64",
    "tensor(float16)": "TYPE_FP16",
    "tensor(bfloat16)": "TYPE_BF16",
    "tensor(float)": "TYPE_FP32",
    "tensor(double)": "TYPE_FP64",
}
# (backend, platform): the second is the older way to say it.
BACKENDS = (
    ("onnxruntime", ""),
    ("", "onnxruntime_onnx"),
    ("onnxruntime", "onnxruntime_onnx"),
)
# What Triton's ONNX Runtime backend knows, and the instances that can use it.
ACCELERATORS = {"gpu": ("tensorrt", "cuda"), "cpu": ("openvino",)}
PRECISIONS = ("FP32", "FP16", "BF16", "INT8")


def check_config(config: Any) -> Iterator[str]:
    """Problems that the configuration has whatever the model file is."""
    if (config.backend, config.platform) not in BACKENDS:
        yield (
            f"The backend is '{config.backend}' and the platform '{config.platform}', "
            "but an ONNX file needs the backend onnxruntime."
        )
    yield from _check_batches(config)
    yield from _check_instances(config)
    yield from _check_accelerators(config)
    for warmup in config.model_warmup:
        yield from _check_warmup(warmup, config)


def check_tensors(
    configured: Sequence[Any], facts: Sequence[TensorFacts], role: str, version: str
) -> Iterator[str]:
    """Do the configured inputs, or outputs, say what the model file says?"""
    known = {fact.name: fact for fact in facts}
    names = [tensor.name for tensor in configured]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"The {role} '{name}' is given twice."
    for name in sorted(known.keys() - set(names)):
        yield f"The {role} '{name}' of version {version}'s file is not configured."
    for tensor in configured:
        fact = known.get(tensor.name)
        if fact is None:
            yield f"Version {version}'s file has no {role} '{tensor.name}'."
        else:
            yield from _compare(tensor, fact, role)


def _compare(tensor: Any, fact: TensorFacts, role: str) -> Iterator[str]:
    data_type = _name(tensor.data_type)
    if data_type != TYPES.get(fact.type):
        yield f"The {role} '{fact.name}' is configured as {data_type}, but the file has {fact.type}."
    if not fact.shape or isinstance(fact.shape[0], int):
        yield f"The {role} '{fact.name}' has a fixed first axis {list(fact.shape)}: no batches."
    expected = [axis if isinstance(axis, int) else -1 for axis in fact.shape[1:]]
    if list(tensor.dims) != expected:
        yield (
            f"The {role} '{fact.name}' has the dims {list(tensor.dims)}, but those of the file "
            f"without the batch are {expected}."
        )


def _check_batches(config: Any) -> Iterator[str]:
    largest = config.max_batch_size
    if largest < 1:
        yield f"max_batch_size is {largest}, but the model takes batches: expected at least 1."
        return
    preferred = list(config.dynamic_batching.preferred_batch_size)
    wrong = [size for size in preferred if not 1 <= size <= largest]
    if wrong:
        yield f"preferred_batch_size has {wrong}: expected sizes from 1 to {largest}."
    if len(set(preferred)) != len(preferred):
        yield f"preferred_batch_size names a size twice: {preferred}."


def _check_instances(config: Any) -> Iterator[str]:
    for group in config.instance_group:
        if group.HasField("count") and group.count < 1:
            yield f"An instance_group has the count {group.count}: expected at least 1."
        if group.gpus and ENUMS["Kind"][group.kind] in ("KIND_CPU", "KIND_MODEL"):
            yield f"An instance_group of {ENUMS['Kind'][group.kind]} names GPUs {list(group.gpus)}."


def _check_accelerators(config: Any) -> Iterator[str]:
    kinds = {ENUMS["Kind"][group.kind] for group in config.instance_group} or {"KIND_AUTO"}
    chosen = config.optimization.execution_accelerators
    for device, known in ACCELERATORS.items():
        accelerators = getattr(chosen, f"{device}_execution_accelerator")
        for accelerator in accelerators:
            if accelerator.name not in known:
                yield (
                    f"'{accelerator.name}' is no accelerator of a {device.upper()}: "
                    f"expected {' or '.join(known)}."
                )
            yield from _check_precision(accelerator)
        # A CPU's accelerator also takes what a GPU's leaves, so it fits every kind of instance.
        if device == "gpu" and accelerators and kinds <= {"KIND_CPU"}:
            yield "gpu_execution_accelerator is set, but every instance_group is of KIND_CPU."


def _check_precision(accelerator: Any) -> Iterator[str]:
    for parameter in accelerator.parameters:
        if parameter.key == "precision_mode" and parameter.value not in PRECISIONS:
            yield (
                f"precision_mode of '{accelerator.name}' is '{parameter.value}': "
                f"expected {', '.join(PRECISIONS)}."
            )


def _check_warmup(warmup: Any, config: Any) -> Iterator[str]:
    if not 1 <= warmup.batch_size <= max(config.max_batch_size, 1):
        yield (
            f"The warm-up '{warmup.name}' has the batch size {warmup.batch_size}: "
            f"expected one from 1 to max_batch_size, {config.max_batch_size}."
        )
    given = {entry.key: entry.value for entry in warmup.inputs}
    wanted = {tensor.name: tensor for tensor in config.input}
    if given.keys() != wanted.keys():
        yield (
            f"The warm-up '{warmup.name}' feeds {sorted(given)}, "
            f"but the inputs are {sorted(wanted)}."
        )
    for name in sorted(given.keys() & wanted.keys()):
        value, tensor = given[name], wanted[name]
        if (value.data_type, list(value.dims)) != (tensor.data_type, list(tensor.dims)):
            yield f"The warm-up '{warmup.name}' feeds '{name}' in another type or other dims."
        if value.HasField("zero_data") == value.HasField("random_data"):
            yield f"The warm-up '{warmup.name}' should feed '{name}' either zeros or random data."


def _name(data_type: int) -> str:
    return ENUMS["DataType"][data_type]
