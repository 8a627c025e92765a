"""Results of a measurement as rows to read, as CSV, and as one HTML page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from html import escape
from typing import Any

from benchmarks.figures.style import percent
from benchmarks.throughput.compare import Comparison, in_words, summary, why_lost
from benchmarks.throughput.machine import describe, differences, machine_name
from benchmarks.throughput.stored import (
    WITHOUT_COPIES,
    Row,
    StoredSpeed,
    has_figure,
    spread_in_words,
    without_copies,
)

NOTHING = "–"
MOST_NAMED = 4
COLUMNS = (
    "model", "engine", "precision", "threads", "batch_size", "valid", "reason",
    "images_per_second", "images_per_second_low", "images_per_second_high",
    "images_per_second_spread", "rounds",
    WITHOUT_COPIES, "disturbed_rounds", "p50_ms", "p90_ms", "p99_ms", "agreement_percent", "test_error_percent",
    "runs",
)  # fmt: skip
HEADINGS = (
    "model", "engine", "threads", "batch", "images/s", "95 % interval, or range", "p50", "p90", "p99",
    "agreement", "rounds",
)  # fmt: skip
COMPARED_HEADINGS = (
    "model", "engine", "threads", "batch", "images/s, first", "images/s, second",
    "second over first", "test",
)  # fmt: skip


def cells(row: Row) -> list[str]:
    """A row with units, in the order of `HEADINGS`; one that does not count says why instead."""
    who = [
        row["model"],
        f"{row['engine']}:{row['precision']}",
        str(row["threads"]),
        str(row["batch_size"]),
    ]
    agreement = row.get("agreement_percent")
    agreed = percent(agreement) if agreement is not None else NOTHING
    if not has_figure(row):
        why = f"no figure: {row['reason']}" if not row["valid"] else "not measured yet"
        return [*who, why, *[NOTHING] * 4, agreed, NOTHING]
    disturbed = row.get("disturbed_rounds")
    rounds = f"{row['rounds']}, {disturbed} disturbed" if disturbed else f"{row['rounds']}"
    times = [_milliseconds(row.get(f"p{number}_ms")) for number in (50, 90, 99)]
    rate = f"{row['images_per_second']:,.0f}"
    if copies := without_copies(row):
        rate += f" ({copies})"
    return [
        *who, rate, spread_in_words(row), *times, agreed, rounds,
    ]  # fmt: skip


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3g} ms" if value < 100 else f"{value:,.0f} ms"


def speed_csv(stored: StoredSpeed) -> str:
    """A line a row; empty where there is no figure."""
    from benchmarks.figures.downloads import not_a_formula  # with it comes plotly

    def cell(value: Any) -> Any:
        return not_a_formula(value) if isinstance(value, str) else "" if value is None else value

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in stored.rows:
        writer.writerow([cell(row.get(name)) for name in COLUMNS])
    return text.getvalue()


def missing_engines(stored: StoredSpeed) -> list[tuple[str, str, str]]:
    """(engines with their precisions, why they have no figures, the line that mends it), once a reason."""
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for row in stored.rows:
        if not row["valid"] and row.get("agreement_percent") is None:
            why = str(row["reason"]), str(row.get("install") or "")
            found.setdefault(why, {}).setdefault(row["engine"], set()).add(row["precision"])
    return sorted(
        ("; ".join(f"{name}: {', '.join(sorted(of[name]))}" for name in sorted(of)), *why)
        for why, of in found.items()
    )


def wrong_rows(stored: StoredSpeed) -> list[Row]:
    """Those that ran, and whose answers or runs were not what they should be."""
    return [
        row for row in stored.rows if not row["valid"] and row.get("agreement_percent") is not None
    ]


def compared_cells(row: Any) -> list[str]:
    """A comparison in the order of `COMPARED_HEADINGS`."""
    case = row.case
    return [
        case["model"], f"{case['engine']}:{case['precision']}", str(case["threads"]),
        str(case["batch_size"]), f"{row.a_images_per_second:,.0f}",
        f"{row.b_images_per_second:,.0f}", in_words(row), row.statistic,
    ]  # fmt: skip


def comparison_text(a: StoredSpeed, b: StoredSpeed, found: Comparison) -> str:
    """Aligned columns, what only one file has, and how their machines differ."""
    rows = [list(COMPARED_HEADINGS), *(compared_cells(row) for row in found.rows)]
    lines = [summary(found), "", *_aligned(rows)]
    lines += lost_and_gained(found)
    apart = differences(a.environment, b.environment)
    lines += ["", "Environments:" if apart else "The same environment."]
    return "\n".join([*lines, *(f"  {what}: {first} → {second}" for what, first, second in apart)])


def lost_and_gained(found: Comparison) -> list[str]:
    """Which cases only one of two files has a figure for: each that failed, the others counted."""
    empty = [row for row in found.lost if not has_figure(row)]
    lines = [f"No figure in the second: {_who(row)}: {why_lost(row)}" for row in empty]
    absent = [row for row in found.lost if has_figure(row)]
    for rows, one, other in ((absent, "first", "second"), (found.gained, "second", "first")):
        if rows:
            names = dict.fromkeys(
                f"{row['model']} {row['engine']}:{row['precision']}" for row in rows
            )
            few = ", ".join(list(names)[:MOST_NAMED]) + (
                " and others" if len(names) > MOST_NAMED else ""
            )
            lines.append(f"{len(rows)} cases of the {one} have no figure in the {other}: {few}.")
    return lines


def _who(row: Row) -> str:
    return (
        f"{row['model']} {row['engine']}:{row['precision']}, threads {row['threads']}, "
        f"batch {row['batch_size']}"
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def speed_html(stored: StoredSpeed) -> str:
    """One file that needs no other and no network: figures, machine, rows, command."""
    from benchmarks.figures.downloads import html_page, render_figure, render_table
    from benchmarks.figures.speed_batch import batch_figure
    from benchmarks.figures.speed_front import BATCHES, front_figure
    from benchmarks.figures.speed_latency import latency_figure

    cases = dict.fromkeys((row["model"], str(row["threads"])) for row in stored.measured)
    figures = [draw(stored, *case) for draw in (batch_figure, latency_figure) for case in cases]
    figures += [front_figure(stored, batch) for batch in BATCHES]
    unfinished = "" if stored.is_finished else " It was stopped before its end."
    missing = [list(entry) for entry in missing_engines(stored)]
    body = [
        f"<p>Measured on {escape(machine_name(stored.environment))}. Bars are 95 % intervals "
        f"over processes, or where these are fewer than three the range of the rounds.{unfinished}</p>",
        *map(render_figure, figures),
        "<h2>The machine</h2>", render_table(("what", ""), describe(stored.environment)),
        "<h2>Every row</h2>", render_table(HEADINGS, [cells(row) for row in stored.rows]),
        *(["<h2>Not here</h2>", render_table(("engines", "why", "install"), missing)] if missing else []),
        "<h2>Command</h2>", f"<pre>{escape(stored.command)}</pre>",
        "<h2>Environment</h2>",
        f"<pre>{escape(json.dumps(stored.environment, indent=2, ensure_ascii=False))}</pre>",
    ]  # fmt: skip
    return html_page(f"Speed on {machine_name(stored.environment)}", "\n".join(body))
