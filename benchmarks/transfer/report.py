"""What the experiment found: means over seeds with their intervals, as rows and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from benchmarks.depth.statistics import half_width

IN_WORDS = {
    "head": "head only",
    "last_stage": "last stage and head",
    "all": "all of it",
    "scratch": "from random weights",
}


def summarise(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each way and number of pictures."""
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for row in results:
        groups.setdefault((row["per_class"], row["way"]), []).append(row)
    return [_summary(*key, rows) for key, rows in groups.items()]


def _summary(per_class: int, way: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    errors = [row["test_error_percent"] for row in rows]
    return {
        "per_class": per_class,
        "way": way,
        "seeds": len(rows),
        "test_error_percent": fmean(errors),
        "half_width_percent": half_width(errors),
        "majority_error_percent": fmean(row["majority_error_percent"] for row in rows),
        "train_seconds": fmean(row["train_seconds"] for row in rows),
    }


def as_table(result: dict[str, Any]) -> str:
    """What was trained, and a line for each way."""
    lines = [
        f"{result['settings']['model']}, trained on {', '.join(result['known_classes'])} to "
        f"{result['start_test_error_percent']:.2f} % test error, learns "
        f"{', '.join(result['new_classes'])}.",
        f"{'pictures':>8}  {'what learns':20} {'test error':>16} {'training':>9}",
    ]
    return "\n".join([*lines, *(_line(row) for row in result["summary"])])


def _line(row: dict[str, Any]) -> str:
    spread = row["half_width_percent"]
    error = f"{row['test_error_percent']:.2f}" + (f" ± {spread:.2f} %" if spread else " %")
    pictures = f"{row['per_class']} each"
    return f"{pictures:>8}  {IN_WORDS[row['way']]:20} {error:>16} {row['train_seconds']:7.1f} s"
