"""The files an exported model comes in: fp32 as exported, and beside it fp16 and int8."""

from __future__ import annotations

from pathlib import Path

from resnet_core.errors import ModelError

EXACT = "fp32"
CONVERTED = ("fp16", "int8")
FILE_PRECISIONS = (EXACT, *CONVERTED)


def file_for(file: Path, precision: str) -> Path:
    """The file that holds the model at a precision: `model.int8.onnx` beside `model.onnx`.

    A precision without a file of its own, such as bf16, is what an engine makes of the exact file.
    """
    return file.with_suffix(f".{precision}.onnx") if precision in CONVERTED else file


def existing_file(file: Path, precision: str) -> Path:
    """The same, made sure of.

    Raises:
        ModelError: it was not made yet, and how to make it.
    """
    found = file_for(file, precision)
    if precision in CONVERTED and not found.is_file():
        raise ModelError(
            f"There is no {precision} file beside {file}: make it with "
            f"`python -m export onnx MODEL --precision {precision}`."
        )
    return found
