"""The files an exported model comes in: fp32 as exported, and beside it fp16 and int8."""

from __future__ import annotations

from pathlib import Path

from export.converted import check_source, command_for
from resnet_core.errors import ModelError
from resnet_core.onnx_names import CONVERTED, converted_file

EXACT = "fp32"
FILE_PRECISIONS = (EXACT, *CONVERTED)


def file_for(file: Path, precision: str) -> Path:
    """The file that holds the model at a precision: `model.int8.onnx` beside `model.onnx`.

    A precision without a file of its own, such as bf16, is what an engine makes of the exact file.
    """
    return converted_file(file, precision) if precision in CONVERTED else file


def existing_file(file: Path, precision: str) -> Path:
    """The same, made sure of.

    Raises:
        ModelError: it was not made yet, or from another file than this one; and how to make it.
    """
    if precision not in CONVERTED:
        return file
    found = converted_file(file, precision)
    if not found.is_file():
        raise ModelError(
            f"There is no {precision} file beside {file}: make it with {command_for(precision)}."
        )
    check_source(file, found)
    return found
