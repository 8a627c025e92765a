"""How engines look in every figure of speed: a colour and a mark each, a variant by precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from benchmarks.figures.style import OTHER_COLOUR, Colour
from export.engines.catalogue import ENGINES


@dataclass(frozen=True)
class EngineLook:
    """What stands for an engine."""

    short: str
    """Its name where there is little room."""
    colour: Colour
    symbol: str
    glyph: str
    """The mark in running text."""
    open_glyph: str
    """The mark of any precision but the exact one."""


# None is a family's colour: those mean nets. Told apart by lightness too, and always by the mark.
LOOKS = {
    "pytorch-eager": EngineLook("PyTorch", Colour("#97700b", "#e8c35a"), "square", "■", "□"),
    "pytorch-compiled": EngineLook(
        "torch.compile", Colour("#7f1d4f", "#f08cb9"), "diamond", "◆", "◇"
    ),
    "pytorch-cuda-graphs": EngineLook(
        "PyTorch graphs", Colour("#b3400f", "#ff9a62"), "star", "★", "☆"
    ),
    "onnxruntime-cpu": EngineLook("ONNX RT CPU", Colour("#5b4bc4", "#aca2ff"), "circle", "●", "○"),
    "onnxruntime-cuda": EngineLook(
        "ONNX RT CUDA", Colour("#5c8a00", "#b4de4a"), "triangle-up", "▲", "△"
    ),
    "onnxruntime-cuda-graphs": EngineLook(
        "ONNX RT graphs", Colour("#14532d", "#7ee2a0"), "pentagon", "⬟", "⬠"
    ),
    "onnxruntime-tensorrt": EngineLook(
        "TensorRT", Colour("#27303d", "#eef2f7"), "triangle-down", "▼", "▽"
    ),
    "openvino-cpu": EngineLook("OpenVINO", Colour("#0e8ba3", "#52d3ea"), "cross", "✚", "✛"),
}
# The exact one is filled; what a precision that is not listed looks like is OTHER_VARIANT.
VARIANTS = {"fp32": "", "bf16": "-open", "fp16": "-dot", "int8": "-open-dot"}
OTHER_VARIANT = "-open"
LEAST_DECADES = 0.3
MANY_DECADES = 0.7


def look_of(engine: str) -> EngineLook:
    """An engine's look; one that is not known here is grey."""
    return LOOKS.get(engine) or EngineLook(
        engine, Colour(OTHER_COLOUR, "#a3b1c4"), "hexagon", "⬢", "⬡"
    )


def mark_of(engine: str, precision: str) -> str:
    """The plotly symbol of an engine at a precision."""
    return look_of(engine).symbol + VARIANTS.get(precision, OTHER_VARIANT)


def glyph_of(engine: str, precision: str) -> str:
    """Its mark as text, filled for the exact precision."""
    look = look_of(engine)
    return look.open_glyph if VARIANTS.get(precision, OTHER_VARIANT) else look.glyph


def marks_in_words(rows: Sequence[dict[str, Any]]) -> str:
    """■ PyTorch, ● ONNX RT CPU: the marks of the engines in these rows."""
    looks = dict.fromkeys(look_of(engine) for engine, _ in in_order(rows))
    return ", ".join(f"{look.glyph} {look.short}" for look in looks)


def short_name(row: dict[str, Any]) -> str:
    """OpenVINO bf16."""
    return f"{look_of(row['engine']).short} {row['precision']}"


def in_order(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Each engine and precision once, in the engines' own order."""
    found = dict.fromkeys((row["engine"], row["precision"]) for row in rows)
    places = list(ENGINES)
    return sorted(
        found, key=lambda pair: places.index(pair[0]) if pair[0] in places else len(places)
    )


def round_rate(value: float) -> str:
    """12,300 images/s: three digits, as precise as a rate is."""
    return f"{float(f'{value:.3g}'):,.0f} images/s" if value >= 10 else f"{value:.3g} images/s"


def milliseconds(value: float) -> str:
    """0.35 ms, 12.4 ms, 340 ms."""
    return f"{value:.3g} ms" if value < 100 else f"{value:,.0f} ms"


def log_axis(values: Sequence[float], room: float = 0.08) -> dict[str, Any]:
    """A logarithmic axis around values above zero, with a share of its length free at each end.

    Plotly's own range around a single value is two decades, with hardly a tick in it.
    """
    low, high = log10(min(values)), log10(max(values))
    is_long = high - low >= MANY_DECADES
    free = room * max(high - low, LEAST_DECADES) + (LEAST_DECADES / 2 if not is_long else 0.0)
    # Of a decade and more plotly's own ticks are digits: 2, 3, 4 for 200, 300, 400.
    is_in_full = is_long or high - low + 2 * free >= 1
    ticks = {"dtick": "D2", "minorloglabels": "complete"} if is_in_full else {"nticks": 6}
    return {
        "type": "log", "rangemode": "normal", "range": [low - free, high + free],
        "exponentformat": "none", "separatethousands": True, **ticks,
    }  # fmt: skip
