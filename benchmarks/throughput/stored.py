"""Results of `benchmarks throughput` as a file: written while it measures, read by whoever looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.throughput.readable import is_environment, is_model, is_progress, is_row
from benchmarks.throughput.summary import INTERVAL, RANGE, rate_of, spread_of
from resnet_core.errors import ConfigError
from resnet_core.files import read_json
from resnet_core.zoo import zoo_entries

FORMAT = "resnet-lab-throughput-1"
SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "studies" / "speed"
WITHOUT_COPIES = "images_per_second_without_copies"
"""Of a row: pixels and answers stay on the device; absent where the device is the CPU."""
RATE = "images_per_second"
CASE = ("model", "engine", "precision", "threads", "batch_size")
Row = dict[str, Any]


@dataclass(frozen=True)
class StoredSpeed:
    """What a file holds so far."""

    environment: dict[str, Any]
    command: str
    settings: dict[str, Any]
    progress: dict[str, Any]
    """`done` and `total` measurements, whether `finished`, what is done `now`."""
    models: tuple[dict[str, Any], ...]
    """Name, family, depth and test error of each model."""
    rows: tuple[Row, ...]
    began_at: str
    """UTC, ISO 8601; empty where the file does not say."""

    @property
    def is_finished(self) -> bool:
        return bool(self.progress["finished"])

    @property
    def share_done(self) -> float:
        """0 to 1."""
        if self.is_finished:
            return 1.0
        return float(min(1.0, self.progress["done"] / max(1, self.progress["total"])))

    @property
    def measured(self) -> list[Row]:
        """The rows that have a figure, and one that counts."""
        return [row for row in self.rows if has_figure(row)]

    def model(self, name: str) -> dict[str, Any]:
        """Name, family, depth and test error of a model; unknown ones are None."""
        unknown = {"name": name, "family": "", "depth": 0, "test_error_percent": None}
        return next((m for m in self.models if m["name"] == name), unknown)


def has_figure(row: Row) -> bool:
    return bool(row["valid"]) and row["images_per_second"] is not None


def without_copies(row: Row) -> str:
    """The rate of images that stay on the device, in words; empty where there is no device."""
    rate = row.get(WITHOUT_COPIES)
    return "" if rate is None else f"{rate:,.0f} without copies"


def spread_fields(
    rates: Sequence[float], starts: Sequence[int], name: str = RATE
) -> dict[str, Any]:
    """What a row says of how well a rate is known; None each where it was measured once."""
    found = spread_of(rates, starts)
    low, high, kind = (found.low, found.high, found.kind) if found else (None, None, None)
    return {f"{name}_low": low, f"{name}_high": high, f"{name}_spread": kind}


def spread_in_words(row: Row) -> str:
    """An interval as it is; a range is said to be one."""
    low, high, kind = (row.get(f"{RATE}_{end}") for end in ("low", "high", "spread"))
    if low is None or high is None:
        return "one round"
    said = f"{low:,.0f} to {high:,.0f}"
    return said if kind == INTERVAL else f"{RANGE} {said}"


def case_of(row: Row) -> tuple[Any, ...]:
    """What names a row in every file: model, engine, precision, threads, batch size."""
    return tuple(row[key] for key in CASE)


def read_speed(path: Path) -> StoredSpeed:
    """The results in a file, finished or not; those written before they had a format as well.

    Raises:
        ConfigError: there is no such file, or it holds something else.
    """
    try:
        held = read_json(path)
    except OSError:
        raise ConfigError(f"There is no file {path}: check the path.") from None
    except ValueError:
        held = None
    if not is_speed(held):
        raise ConfigError(
            f"{path} holds no results of `benchmarks throughput`: choose a file that it wrote."
        )
    rows = tuple(map(_with_spread, held["rows"]))
    return StoredSpeed(
        environment=held["environment"],
        command=held.get("command", ""),
        settings=held.get("settings", {}),
        progress=held.get("progress") or {"done": 1, "total": 1, "finished": True},
        models=tuple(held.get("models") or _from_zoo({row["model"] for row in rows})),
        rows=rows,
        began_at=held.get("began_at", ""),
    )


def _with_spread(row: Row) -> Row:
    """The row, its rate and spread by today's rule: older files hold the median of all rounds and
    bootstrap intervals of few processes."""
    if not row.get("rates"):
        return row
    rates, starts = row["rates"], row.get("starts", ())
    spread = spread_fields(rates, starts)
    told = {RATE: rate_of(rates, starts)} if spread[f"{RATE}_spread"] == INTERVAL else {}
    return row | told | spread


def is_speed(held: Any) -> bool:
    """Whether what a file held are results of this benchmark."""
    if not isinstance(held, dict) or held.get("format", FORMAT) != FORMAT:
        return False
    rows, models = held.get("rows"), held.get("models") or []
    return (
        is_environment(held.get("environment"))
        and is_progress(held.get("progress"))
        and isinstance(models, list)
        and all(map(is_model, models))
        and isinstance(rows, list)
        and all(map(is_row, rows))
    )


def _from_zoo(names: set[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": entry.name,
            "family": entry.card["config"]["family"],
            "depth": entry.card["config"]["depth"],
            "test_error_percent": entry.card["test_error_percent"],
        }
        for entry in zoo_entries()
        if entry.name in names
    ]


def fastest(rows: Sequence[Row]) -> Row:
    """The row with the most images a second; `rows` have figures."""
    return max(rows, key=lambda row: float(row["images_per_second"]))
