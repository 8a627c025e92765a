"""How long one call takes, by engine: the median, and what nine and ninety-nine in a hundred stay under."""

from __future__ import annotations

from collections.abc import Sequence

from plotly.graph_objects import Figure, Scatter

from benchmarks.figures.canvas import empty_figure, new_figure, remember_dark, significant
from benchmarks.figures.speed_batch import NOTHING, rows_of, so_far
from benchmarks.figures.speed_style import log_axis, look_of, mark_of, milliseconds, short_name
from benchmarks.throughput.stored import Row, StoredSpeed

TITLE = "Latency by engine"
PERCENTILES = ("p50_ms", "p90_ms", "p99_ms")
SIZES = "large to small: p50, p90, p99"
MOST_LINEAR = 8.0
"""A scale from zero holds values up to so many times the smallest; beyond, it is logarithmic."""


def latency_figure(stored: StoredSpeed, model: str, threads: str) -> Figure:
    """A line an engine from p50 by p90 to p99, at batch 1 or the smallest batch measured.

    Args:
        model, threads: as `batch_figure` takes them.
    """
    rows = latency_rows(rows_of(stored, model, threads))
    if not rows:
        return empty_figure(TITLE, NOTHING)
    batch = rows[0]["batch_size"]
    figure = new_figure(
        so_far(stored) + title(rows), f"ms a call of {_images(batch)}<br>{SIZES}", ""
    )
    values = [row[key] for row in rows for key in PERCENTILES if row.get(key) is not None]
    if max(values) > MOST_LINEAR * min(values):
        figure.update_xaxes(log_axis(values))
    # The quickest stands on top.
    figure.update_yaxes(autorange="reversed", ticklen=0, showgrid=False)
    for row in rows:
        _add_engine(figure, row)
    return figure


def latency_rows(rows: Sequence[Row]) -> list[Row]:
    """Those of the smallest batch that have a median, quickest first."""
    timed = [row for row in rows if row.get("p50_ms") is not None]
    smallest = min((row["batch_size"] for row in timed), default=None)
    chosen = [row for row in timed if row["batch_size"] == smallest]
    return sorted(chosen, key=lambda row: float(row["p50_ms"]))


def _add_engine(figure: Figure, row: Row) -> None:
    colour = look_of(row["engine"]).colour
    remember_dark(figure, colour)
    known = [(key, row[key]) for key in PERCENTILES if row.get(key) is not None]
    sizes = {"p50_ms": 13, "p90_ms": 9, "p99_ms": 6}
    figure.add_trace(
        Scatter(
            x=[significant(value) for _, value in known],
            y=[short_name(row)] * len(known),
            name=short_name(row),
            mode="lines+markers",
            line={"color": colour.light, "width": 1.6},
            marker={
                "color": colour.light,
                "size": [sizes[key] for key, _ in known],
                "symbol": mark_of(row["engine"], row["precision"]),
                "opacity": 1,
            },
            customdata=[[_told(row)] for _ in known],
            hovertemplate="<b>%{y}</b><br>%{customdata[0]}<extra></extra>",
        )
    )


def _told(row: Row) -> str:
    words = [
        f"{key[:-3]} {milliseconds(row[key])}" if row.get(key) is not None
        else f"{key[:-3]}: too few calls to say"
        for key in PERCENTILES
    ]  # fmt: skip
    return "<br>".join(words)


def title(rows: Sequence[Row]) -> str:
    """The quickest median, with its tail where there are calls enough to know it."""
    best = rows[0]
    tail = f", 99 of 100 within {milliseconds(best['p99_ms'])}" if best.get("p99_ms") else ""
    median = milliseconds(best["p50_ms"])
    return f"{short_name(best)} answers {_images(best['batch_size'])} in {median}{tail}"


def _images(batch: int) -> str:
    return "one image" if batch == 1 else f"{batch} images"
