"""The text of a model's config.pbtxt: a `ModelConfig` of Triton's model_config.proto."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from export.triton.settings import ServingSettings
from export.triton.signature import Signature, Tensor

LABELS_FILE = "labels.txt"
MODEL_FILE = "model.onnx"


def config_text(name: str, signature: Signature, classes: int, settings: ServingSettings) -> str:
    """The configuration of one model.

    Args:
        name: the model's folder in the repository.
        classes: how many lines `labels.txt` has; outputs of that length get them.
    """
    largest = settings.max_batch_size
    parts = [
        f"name: {_quote(name)}",
        'backend: "onnxruntime"',
        f"default_model_filename: {_quote(MODEL_FILE)}",
        f"max_batch_size: {largest}",
        *(_block("input", _tensor(tensor)) for tensor in signature.inputs),
        *(_block("output", _output(tensor, classes)) for tensor in signature.outputs),
        _block(
            "dynamic_batching",
            [
                f"preferred_batch_size: {_numbers(_preferred(largest))}",
                f"max_queue_delay_microseconds: {settings.queue_delay_us}",
            ],
        ),
        _block(
            "instance_group",
            [f"count: {settings.instances}", f"kind: KIND_{settings.serves_on.upper()}"],
        ),
        # TensorRT builds its engine for the sizes it has met: both ends, before the first request.
        *(_block("model_warmup", _warmup(size, signature)) for size in sorted({1, largest})),
        *_accelerator(settings, signature),
    ]
    return "\n".join(parts) + "\n"


def _preferred(largest: int) -> list[int]:
    """A quarter, half and the whole of the largest batch, whatever of them there is."""
    return sorted({largest // 4, largest // 2, largest} - {0})


def _tensor(tensor: Tensor) -> list[str]:
    return [
        f"name: {_quote(tensor.name)}",
        f"data_type: {tensor.data_type}",
        f"dims: {_numbers(tensor.dims)}",
    ]


def _output(tensor: Tensor, classes: int) -> list[str]:
    labels = [f"label_filename: {_quote(LABELS_FILE)}"] if tensor.dims == (classes,) else []
    return _tensor(tensor) + labels


def _warmup(size: int, signature: Signature) -> list[str]:
    lines = [f'name: "batch of {size}"', f"batch_size: {size}"]
    for tensor in signature.inputs:
        value = [
            f"data_type: {tensor.data_type}",
            f"dims: {_numbers(tensor.dims)}",
            "random_data: true",
        ]
        lines.append(_block("inputs", [f"key: {_quote(tensor.name)}", _block("value", value)]))
    return lines


def _accelerator(settings: ServingSettings, signature: Signature) -> Iterable[str]:
    if settings.engine == "onnxruntime":
        return
    lines = [f"name: {_quote(settings.engine)}"]
    if settings.engine == "tensorrt":
        # Never below what the file was exported and proven in.
        lines.append(
            _block("parameters", ['key: "precision_mode"', f"value: {_quote(signature.precision)}"])
        )
    accelerator = _block(f"{settings.serves_on}_execution_accelerator", lines)
    yield _block("optimization", [_block("execution_accelerators", [accelerator])])


def _block(name: str, lines: Iterable[str]) -> str:
    inside = "\n".join(lines).replace("\n", "\n  ")
    return f"{name} {{\n  {inside}\n}}"


def _numbers(numbers: Sequence[int]) -> str:
    return f"[ {', '.join(map(str, numbers))} ]"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
