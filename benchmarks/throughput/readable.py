"""Whether parts of a file of results are what readers take them for: files come from anywhere."""

from __future__ import annotations

from math import isfinite
from typing import Any

FIGURES = (
    "images_per_second", "images_per_second_low", "images_per_second_high",
    "images_per_second_without_copies", "p50_ms", "p90_ms", "p99_ms",
)  # fmt: skip
SHARES = ("agreement_percent", "test_error_percent")
SIZES = ("clock_mhz", "memory_gb", "gpu_memory_gb")
WORDS = ("model", "engine", "precision")


def is_row(row: Any) -> bool:
    """Whether it names a case, and gives figures that are more than 0, or none."""
    if not isinstance(row, dict) or not {"valid", "images_per_second"} <= row.keys():
        return False
    return _names_a_case(row) and _has_sound_figures(row)


def _names_a_case(row: dict[str, Any]) -> bool:
    batch_size = row.get("batch_size")
    return (
        all(isinstance(row.get(key), str) for key in WORDS)
        and isinstance(row.get("threads"), int | str)
        and isinstance(batch_size, int)
        and batch_size > 0
    )


def _has_sound_figures(row: dict[str, Any]) -> bool:
    figures = [row.get(key) for key in FIGURES]
    shares = [row.get(key) for key in SHARES]
    return (
        all(each is None or (_is_number(each) and each > 0) for each in figures)
        and all(each is None or _is_number(each) for each in shares)
        and (row["images_per_second"] is None or _is_measured(row))
    )


def _is_measured(row: dict[str, Any]) -> bool:
    """Whether it says of how many rounds its figure is, and of which where it says that."""
    rates, starts = row.get("rates", []), row.get("starts", [])
    return (
        isinstance(row.get("rounds"), int)
        and isinstance(rates, list)
        and all(_is_number(rate) and rate > 0 for rate in rates)
        and isinstance(starts, list)
        and all(isinstance(start, int) for start in starts)
        and (bool(rates) or {"images_per_second_low", "images_per_second_high"} <= row.keys())
    )


def is_environment(facts: Any) -> bool:
    """Whether it is a machine that can be put into words."""
    if not isinstance(facts, dict):
        return False
    features = facts.get("cpu_features", [])
    sizes = [facts.get(key) for key in SIZES]
    return isinstance(features, list) and all(size is None or _is_number(size) for size in sizes)


def is_model(about: Any) -> bool:
    """Whether it is name, family, depth and test error of a net; the error may be unknown."""
    if not isinstance(about, dict) or not {"family", "test_error_percent"} <= about.keys():
        return False
    error = about["test_error_percent"]
    return (
        isinstance(about.get("name"), str)
        and isinstance(about.get("depth"), int)
        and (error is None or _is_number(error))
    )


def is_progress(progress: Any) -> bool:
    """Whether it counts measurements; a file written at its end, before there was any, has none."""
    if not progress:
        return True
    if not isinstance(progress, dict) or "finished" not in progress:
        return False
    return all(isinstance(progress.get(key), int) for key in ("done", "total"))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and isfinite(value)
