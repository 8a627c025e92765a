"""Results as a file, written after every row, and as a table on the console."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.load.logs import PERCENTILES
from benchmarks.load.scenarios import OFFLINE, SERVER
from benchmarks.load.settings import LoadSettings
from benchmarks.load.stored import FORMAT, LABEL, Row, highest_loads
from resnet_core.files import write_json

LABEL_LINE = (
    f"{LABEL}: MLPerf's own load generator and scenarios, but neither its submission rules "
    "(models, data, run lengths) nor its audit."
)


def write_report(
    path: Path, environment: dict[str, Any], settings: LoadSettings, rows: Sequence[Row], done: bool
) -> None:
    """Put the results so far where `path` is, in one step: a page may be reading it."""
    report = {
        "format": FORMAT,
        "label": LABEL,
        "environment": environment,
        "command": settings.command,
        "settings": settings.to_dict(),
        "finished": done,
        "rows": list(rows),
    }
    write_json(path, report)


def closing_words(rows: Sequence[Row]) -> str:
    """The highest loads that met the bound, and what these figures are not."""
    lines = [
        f"{_who(row)}: {row['offered_queries_per_second']:g} queries/s is the highest load tried "
        f"at which 99 % of the answers took at most {row['latency_bound_ms']:g} ms"
        for row in highest_loads(rows)
    ]
    return "\n".join([*lines, LABEL_LINE])


def as_line(row: Row) -> str:
    offered = row["offered_queries_per_second"]
    what = row["scenario"] if offered is None else f"{row['scenario']}, {offered:g} queries/s"
    return f"{_who(row):52} {what:24} {_figures(row)}"


def _who(row: Row) -> str:
    return f"{row['model']} {row['engine']}:{row['precision']}, threads {row['threads']}"


def _figures(row: Row) -> str:
    if row["achieved_images_per_second"] is None:
        return f"no figure: {row['reason']}"
    parts = [f"{row['achieved_images_per_second']:9,.0f} images/s"]
    if row["scenario"] != OFFLINE:
        parts += [_percentile(row, number) for number in PERCENTILES]
        parts.append(f"{row['samples']:,} queries")
    if row["scenario"] in (SERVER, OFFLINE):
        parts.append(f"{row['batching']['mean_images']:.1f} images a call")
    if row["disturbed"]:
        parts.append("disturbed by something else")
    parts.append("valid" if row["valid"] else f"not valid: {row['reason']}")
    return ", ".join(parts)


def _percentile(row: Row, number: int) -> str:
    value = row[f"p{number}_ms"]
    return f"p{number} {'too few' if value is None else f'{value:.2f} ms'}"
