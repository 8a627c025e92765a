"""The names of a model's ONNX files: as exported, and beside it what was made of that one."""

from __future__ import annotations

from pathlib import Path

CONVERTED = ("fp16", "int8")
"""Precisions that have files of their own."""


def converted_file(exact: Path, precision: str) -> Path:
    """`model.int8.onnx` beside `model.onnx`."""
    return exact.with_suffix(f".{precision}.onnx")


def converted_files(exact: Path) -> list[Path]:
    """Of every precision, there or not."""
    return [converted_file(exact, precision) for precision in CONVERTED]


def confidence_file(exact: Path) -> Path:
    """`model.confidence.json` beside it: what was measured of how sure the model may be."""
    return exact.with_name(f"{exact.stem}.confidence.json")


def exact_file(converted: Path) -> Path | None:
    """The way back: what a file was converted from by its name; None where it is no such name."""
    for precision in CONVERTED:
        exact = converted.with_name(converted.name.removesuffix(f".{precision}.onnx") + ".onnx")
        if converted_file(exact, precision) == converted:
            return exact
    return None
