"""The final figures of runs, and their means over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from benchmarks.figures.compared import ComparedRun, group_runs, load_run
from benchmarks.figures.style import duration
from resnet_core.runs.folder import RunFolder, RunState

FIGURES_WITH_SPREAD = (
    "train_error_percent", "validation_error_percent", "test_error_percent", "train_seconds",
    "images_per_second",
)  # fmt: skip
# What a person reads: heading and key; the command line and the page show the same.
COLUMNS = (
    ("run", "run"), ("model", "model"), ("data", "data"), ("recipe", "recipe"),
    ("epochs", "epochs"), ("seed", "seed"), ("state", "state"),
    ("training error", "train_error_percent"), ("validation error", "validation_error_percent"),
    ("test error", "test_error_percent"), ("parameters", "params"),
    ("training time", "train_seconds"), ("images/s", "images_per_second"),
)  # fmt: skip
NOTHING = "–"


def final_table(folders: Sequence[RunFolder]) -> list[dict[str, Any]]:
    """A row a run; then a row for each experiment of several seeds, with means.

    Means are over finished runs: one that stopped half-way would move them. Their rows have `seeds`, and for each mean a `…_sd`, the sample's standard deviation.
    What a run has not measured is None.
    """
    runs = [load_run(folder) for folder in folders]
    rows = [_row(run) for run in runs]
    finished = [run for run in runs if run.state is RunState.FINISHED]
    groups = [group for group in group_runs(finished, by_seeds=True) if len(group.runs) > 1]
    return rows + [
        _mean_row(f"mean of {group.count}", [_row(run) for run in group.runs]) for group in groups
    ]


def _row(run: ComparedRun) -> dict[str, Any]:
    last = run.history.epochs[-1] if run.history.epochs else run.history.last
    return {
        "run": run.name,
        "model": run.model,
        "family": run.family,
        "depth": run.depth,
        "shortcut": run.config["model"].get("shortcut", "A"),
        "data": run.config["data"],
        "recipe": run.recipe,
        "epochs": round(last.epoch, 2) if last else 0,
        "seed": run.seed,
        "state": run.state.value,
        "train_error_percent": last.train_error_percent if last else None,
        "validation_error_percent": last.validation_error_percent if last else None,
        "test_error_percent": run.summary.get("test_error_percent"),
        "params": run.summary.get("params"),
        "train_seconds": last.train_seconds if last else None,
        "images_per_second": last.images_per_second if last else None,
    }


def _mean_row(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    row = {key: value for key, value in rows[0].items() if all(r[key] == value for r in rows)}
    row |= {"run": name, "seed": None, "seeds": len(rows)}
    for name in FIGURES_WITH_SPREAD:
        values = [r[name] for r in rows]
        known = all(value is not None for value in values)
        row[name] = mean(values) if known else None
        row[f"{name}_sd"] = stdev(values) if known else None
    return {key: row.get(key) for key in (*rows[0], *row)}


def cells(row: dict[str, Any]) -> list[str]:
    """The row in words with units, in the order of `COLUMNS`."""
    return [_cell(row, key) for _, key in COLUMNS]


def _cell(row: dict[str, Any], key: str) -> str:
    value, spread = row[key], row.get(f"{key}_sd")
    if value is None:
        return NOTHING
    if key.endswith("_percent"):
        return f"{value:.2f} %" if spread is None else f"{value:.2f} ± {spread:.2f} %"
    if key == "train_seconds":
        return duration(value) if spread is None else f"{duration(value)} ± {duration(spread)}"
    if key == "images_per_second":
        return f"{value:,.0f}" if spread is None else f"{value:,.0f} ± {spread:,.0f}"
    if key == "params":
        return f"{value / 1e6:.2f} M"
    return f"{value:g}" if key == "epochs" else str(value)
