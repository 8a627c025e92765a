"""Images a second against batch size, a line an engine and precision."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from plotly.graph_objects import Figure

from benchmarks.figures.canvas import (
    Label,
    add_line,
    empty_figure,
    label_line_ends,
    new_figure,
    significant,
)
from benchmarks.figures.speed_style import (
    glyph_of,
    in_order,
    log_axis,
    look_of,
    mark_of,
    round_rate,
    short_name,
)
from benchmarks.throughput.stored import (
    Row,
    StoredSpeed,
    fastest,
    spread_in_words,
    without_copies,
)
from benchmarks.throughput.summary import INTERVAL

TITLE = "Images a second by batch size"
NOTHING = "The first point comes when the answers are compared."
# What most people would use, on a CPU or a GPU.
RIVALS = (("onnxruntime-cpu", "fp32"), ("onnxruntime-cuda", "fp32"))
CLEARLY = 1.2


def batch_figure(stored: StoredSpeed, model: str, threads: str) -> Figure:
    """Both axes logarithmic; bars are 95 % intervals over processes, or ranges of few rounds.

    Args:
        model: one of those measured.
        threads: as the rows say it: a number or `all`.
    """
    rows = rows_of(stored, model, threads)
    if not rows:
        return empty_figure(TITLE, NOTHING)
    figure = new_figure(
        so_far(stored) + title(rows, model), "images in one call", "images a second"
    )
    sizes = sorted({row["batch_size"] for row in rows})
    figure.update_xaxes(
        type="log", rangemode="normal", tickmode="array", tickvals=sizes, ticktext=[*map(str, sizes)]
    )  # fmt: skip
    ends = [end for row in rows for end in _ends(row)]
    axis = log_axis(ends)
    figure.update_yaxes(axis)
    labels = [_add_engine(figure, _line(rows, *pair)) for pair in in_order(rows)]
    label_line_ends(figure, labels, log=True, shown=tuple(axis["range"]))
    return figure


def so_far(stored: StoredSpeed) -> str:
    """What a title begins with where not all has been measured."""
    return "" if stored.is_finished else "So far: "


def rows_of(stored: StoredSpeed, model: str, threads: str) -> list[Row]:
    """The measured rows of a model with so many threads."""
    return [
        row for row in stored.measured
        if row["model"] == model and str(row["threads"]) == str(threads)
    ]  # fmt: skip


def _line(rows: Sequence[Row], engine: str, precision: str) -> list[Row]:
    chosen = [r for r in rows if (r["engine"], r["precision"]) == (engine, precision)]
    return sorted(chosen, key=lambda row: int(row["batch_size"]))


def _add_engine(figure: Figure, rows: Sequence[Row]) -> Label:
    first = rows[0]
    colour = look_of(first["engine"]).colour
    rates = [row["images_per_second"] for row in rows]
    hover = (
        f"<b>{short_name(first)}</b>, batch %{{x}}<br>%{{customdata[0]}} images/s "
        "(%{customdata[1]})<br>%{customdata[2]}"
    )
    add_line(
        figure, [row["batch_size"] for row in rows], rates, short_name(first), colour, "solid",
        hover, [_told(row) for row in rows], marks=True,
    )  # fmt: skip
    line = figure.data[-1]
    line.marker.size = 8
    line.marker.symbol = mark_of(first["engine"], first["precision"])
    line.error_y = {
        "array": [significant(_ends(row)[1] - row["images_per_second"]) for row in rows],
        "arrayminus": [significant(row["images_per_second"] - _ends(row)[0]) for row in rows],
        "thickness": 1.2, "width": 4,
    }  # fmt: skip
    mark = glyph_of(first["engine"], first["precision"])
    return Label(short_name(first), rates[-1], colour, mark=mark)


def _ends(row: Row) -> tuple[float, float]:
    """Of the bar; of a single round both are its rate."""
    low, high = row["images_per_second_low"], row["images_per_second_high"]
    rate = float(row["images_per_second"])
    return (rate, rate) if low is None or high is None else (float(low), float(high))


def _told(row: Row) -> list[str]:
    disturbed = row.get("disturbed_rounds") or 0
    rounds = f"{row['rounds']} rounds" + (f", {disturbed} of them disturbed" if disturbed else "")
    copies = f"<br>{said}" if (said := without_copies(row)) else ""
    return [f"{row['images_per_second']:,.0f}", spread_in_words(row), rounds + copies]


def title(rows: Sequence[Row], model: str) -> str:
    """Who is fastest at its best batch, by how much, and whether anybody is level with it."""
    best = fastest(rows)
    rate = round_rate(best["images_per_second"])
    figures = f"{escape(model)} at {rate}, batch {best['batch_size']}"
    others = [fastest(_line(rows, *pair)) for pair in in_order(rows) if pair != _pair(best)]
    if not others:
        return f"{short_name(best)}: {figures}"
    unsure = [other for other in others if not _is_ahead(best, other)]
    if near := [other for other in unsure if _is_near(best, other)]:
        return f"{short_name(best)} and {_names(near)} are about level: {figures}"
    usual = [row for rival in RIVALS for row in others if _pair(row) == rival]
    rival = usual[0] if usual else fastest(others)
    times = best["images_per_second"] / rival["images_per_second"]
    said = f"{times:.1f}" if times >= CLEARLY else f"{times:.2f}"
    figures += f", {said} times {short_name(rival)}"
    if unsure:
        return f"{short_name(best)} seems fastest: {figures}; not surely ahead of {_names(unsure)}"
    return f"{short_name(best)} is fastest: {figures}"


def _is_ahead(best: Row, other: Row) -> bool:
    """Whether a lead is shown: intervals are apart or, where there are none, it is not a small one."""
    are_known = all(row.get("images_per_second_spread") == INTERVAL for row in (other, best))
    are_apart = _ends(other)[1] < _ends(best)[0]
    return are_apart and (are_known or not _is_near(best, other))


def _is_near(best: Row, other: Row) -> bool:
    return bool(best["images_per_second"] < CLEARLY * other["images_per_second"])


def _names(rows: Sequence[Row]) -> str:
    return ", ".join(map(short_name, rows))


def _pair(row: Row) -> tuple[str, str]:
    return row["engine"], row["precision"]
