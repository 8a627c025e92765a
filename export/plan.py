"""Which model on which engine: the best answers within a limit of time and error, as measured here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from export.tuned import Tuned
from resnet_core.errors import ModelError


@dataclass(frozen=True)
class Limits:
    """What an answer may cost."""

    latency_ms: float
    """Of one picture, at the 99th percentile."""
    error_percent: float
    """On the model's test images."""


@dataclass(frozen=True)
class Option:
    """A model on an engine, measured."""

    model: str
    engine: str
    p99_ms: float
    error_percent: float
    images_per_second: float

    def meets(self, limits: Limits) -> bool:
        return self.p99_ms <= limits.latency_ms and self.error_percent <= limits.error_percent

    def __str__(self) -> str:
        return (
            f"{self.model} on {self.engine}: {self.p99_ms:.2f} ms at p99, "
            f"{self.error_percent:.2f} % error, {self.images_per_second:,.0f} images/s"
        )


def options_of(measured: Sequence[Tuned]) -> list[Option]:
    """Every model on every engine that passed its gate and has a 99th percentile and an error."""
    return [
        Option(
            tuned.model,
            f"{row['engine']}:{row['precision']}",
            row["p99_ms"],
            row["test_error_percent"],
            row["images_per_second"],
        )
        for tuned in measured
        for row in tuned.rows
        if _is_complete(row)
    ]


def _is_complete(row: dict[str, Any]) -> bool:
    figures = (row["p99_ms"], row["test_error_percent"], row["images_per_second"])
    return bool(row["valid"]) and None not in figures


def plan(options: Sequence[Option], limits: Limits) -> Option:
    """The smallest error within the limits; of two alike the quicker.

    Raises:
        ModelError: nothing measured meets them; what comes nearest in time and in error.
    """
    fitting = [option for option in options if option.meets(limits)]
    if fitting:
        return min(fitting, key=lambda option: (option.error_percent, option.p99_ms))
    if not options:
        raise ModelError(
            "No model was measured on its test images on this machine yet, as a plan needs: run "
            "`python -m export tune` where they are in the data folder."
        )
    quickest = min(options, key=lambda option: option.p99_ms)
    best = min(options, key=lambda option: (option.error_percent, option.p99_ms))
    nearest = f"The quickest is {quickest}. The best is {best}."
    if quickest == best:
        nearest = f"Both the quickest and the best is {best}."
    raise ModelError(
        f"No model that was measured here answers within {limits.latency_ms:g} ms at p99 and "
        f"{limits.error_percent:g} % error. {nearest}"
    )
