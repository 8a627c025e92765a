"""Latency against load: what half, nine tenths and 99 of 100 answers stay under, by queries a second."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plotly.graph_objects import Figure

from benchmarks.figures.canvas import (
    LOG,
    Label,
    add_line,
    break_lines,
    empty_figure,
    label_line_ends,
    new_figure,
)
from benchmarks.figures.speed_style import look_of, mark_of, short_name
from benchmarks.figures.style import Colour
from benchmarks.load.stored import LABEL, SETUP, Row, by_load, highest_loads, offered, setup_of

TITLE = "Latency against load"
NOTHING_YET = "The first point appears when the server scenario has run at its first load."
BOUND = Colour("#b42318", "#ff9c91")
DASHES = {"p50_ms": "solid", "p90_ms": "8px,3px", "p99_ms": "2px,3px"}
DOTS = "···"
NOTE_PX = 16
MOST_WITH_P90 = 2  # setups; more would be too many lines to tell apart
MOST_LINEAR = 100.0
"""Loads up to so many times the lowest stand on a linear axis, which shows the bend best."""


def load_figure(stored: dict[str, Any]) -> Figure:
    """A line a percentile and setup over the offered load, and the bound as a level.

    Args:
        stored: what `benchmarks load --json` wrote, finished or not.
    """
    setups = by_load(stored["rows"])
    if not any(row["p50_ms"] is not None for rows in setups.values() for row in rows):
        return empty_figure(TITLE, NOTHING_YET)
    figure = new_figure(_finding(setups), "offered load, queries a second", "latency, milliseconds")
    loads = [offered(row) for rows in setups.values() for row in rows]
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(exponentformat="none", separatethousands=True)
    figure.update_yaxes(LOG)
    if max(loads) > MOST_LINEAR * min(loads):
        figure.update_xaxes(LOG, rangemode="normal")
    labels = [label for who in setups for label in _add_setup(figure, who, setups)]
    labels += _add_bounds(figure, setups)
    label_line_ends(figure, labels, log=True)
    _add_note(figure, setups)
    return figure


def _add_setup(
    figure: Figure, who: tuple[str, ...], setups: dict[tuple[str, ...], list[Row]]
) -> list[Label]:
    rows, name = setups[who], _name(who, setups)
    mark = mark_of(rows[0]["engine"], rows[0]["precision"])
    colour = look_of(rows[0]["engine"]).colour
    labels = []
    for key, dash in DASHES.items():
        known = [row for row in rows if row[key] is not None]
        if not known or (key == "p90_ms" and len(setups) > MOST_WITH_P90):
            continue
        line_name = f"{name} {key[:-3]}".strip()
        hover = "<b>%{customdata[0]}</b><br>%{customdata[1]}"
        about = [[f"{name or look_of(row['engine']).short} {key[:-3]}", _told(row)] for row in rows]
        add_line(
            figure, [offered(row) for row in rows], [row[key] for row in rows], line_name,
            colour, dash, hover, about, marks=True,
        )  # fmt: skip
        marker = figure.data[-1].marker
        marker.symbol = ["x" if row["saturated"] else mark for row in rows]
        marker.size = [9 if row["saturated"] else 7 for row in rows]
        dots = DOTS if key == "p99_ms" else ""
        labels.append(Label(line_name, known[-1][key], colour, dash != "solid", dots))
    return labels


def _name(who: tuple[str, ...], setups: dict[tuple[str, ...], list[Row]]) -> str:
    """What tells this setup from the others; nothing where it is the only one."""
    parts = []
    for place, key in enumerate(SETUP):
        if len({other[place] for other in setups}) > 1:
            parts.append(_part(key, who[place]))
    return " ".join(parts)


def _part(key: str, value: str) -> str:
    """Engines are called as in every other figure of speed."""
    if key == "engine":
        return look_of(value).short
    return f"threads {value}" if key == "threads" else value


def _told(row: Row) -> str:
    lines = [
        f"offered {offered(row):g}, answered {row['achieved_queries_per_second']:.4g} queries/s"
    ]
    for key in DASHES:
        value = row[key]
        lines.append(f"{key[:-3]} {'too few queries to say' if value is None else _ms(value)}")
    lines.append(f"{row['samples']:,} queries, {row['batching']['mean_images']:.1f} images a call")
    if row["disturbed"]:
        lines.append("something else used the machine")
    if not row["valid"]:
        lines.append(break_lines(f"not valid: {row['reason']}", 48))
    return "<br>".join(lines)


def _ms(value: float) -> str:
    return f"{value:.3g} ms" if value < 1000 else f"{value:,.0f} ms"


def _add_bounds(figure: Figure, setups: dict[tuple[str, ...], list[Row]]) -> list[Label]:
    rows = [row for of in setups.values() for row in of]
    ends = [min(map(offered, rows)), max(map(offered, rows))]
    labels = []
    for bound in sorted({float(row["latency_bound_ms"]) for row in rows}):
        name = f"bound {_ms(bound)}"
        hover = f"99 of 100 answers within {_ms(bound)}"
        add_line(figure, ends, [bound, bound], name, BOUND, "solid", hover, [[], []], width=1.4)
        labels.append(Label(name, bound, BOUND))
    return labels


def _add_note(figure: Figure, setups: dict[tuple[str, ...], list[Row]]) -> None:
    """Above the plot, a line each: beside one another they would run into a phone's buttons."""
    words = [LABEL]
    if any(row["saturated"] for of in setups.values() for row in of):
        words.append("✕ could not keep up")
    figure.add_annotation(
        text="<br>".join(words), xref="paper", yref="paper", x=0, y=1, xanchor="left", yanchor="bottom",
        align="left",
    )  # fmt: skip
    figure.update_layout(margin_t=NOTE_PX * len(words) + 14)


def _finding(setups: dict[tuple[str, ...], list[Row]]) -> str:
    rows = [row for of in setups.values() for row in of]
    best: Sequence[Row] = sorted(highest_loads(rows), key=offered, reverse=True)
    bound = _ms(rows[0]["latency_bound_ms"])
    if not best:
        return f"No load tried is sure to keep 99 of 100 answers within {bound}"
    names = [_name(setup_of(row), setups) or short_name(row) for row in best]
    said = (
        f"{names[0]} keeps 99 of 100 answers within {_ms(best[0]['latency_bound_ms'])} "
        f"up to {offered(best[0]):,.4g} queries/s"
    )
    return said if len(best) == 1 else f"{said}; {names[1]} up to {offered(best[1]):,.4g}"
