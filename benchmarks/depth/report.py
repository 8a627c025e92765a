"""A study's figures as a table to read and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from benchmarks.depth.results import COLUMNS, Cell, rows
from benchmarks.figures.style import duration
from resnet_core.models.config import FAMILIES

NOTHING = "–"
HEADINGS = (
    "family", "depth", "seeds", "training error", "test error", "parameters", "multiply-adds",
    "training time",
)  # fmt: skip


def cells_in_words(cell: Cell) -> list[str]:
    """A row with units, in the order of `HEADINGS`."""
    return [
        FAMILIES[cell.family].title,
        str(cell.depth),
        str(len(cell.runs)),
        _error(cell, "train"),
        _error(cell, "test"),
        f"{cell.params / 1e6:.2f} M",
        f"{cell.multiply_adds / 1e6:.0f} M",
        duration(cell.train_seconds),
    ]


def _error(cell: Cell, split: str) -> str:
    half = cell.half_width(split)
    return f"{cell.mean(split):.2f} %" if half is None else f"{cell.mean(split):.2f} ± {half:.2f} %"


def as_table(cells: Sequence[Cell]) -> str:
    """Aligned columns; ± is half of the mean's 95 % interval over seeds."""
    lines = [list(HEADINGS), *(cells_in_words(cell) for cell in cells)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def study_csv(cells: Sequence[Cell]) -> str:
    """A row a net: means over seeds, and half widths of their 95 % intervals."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [name for name, _ in COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(_blank_for_none(row) for row in rows(cells))
    return text.getvalue()


def _blank_for_none(row: dict[str, Any]) -> dict[str, Any]:
    return {name: "" if value is None else value for name, value in row.items()}
