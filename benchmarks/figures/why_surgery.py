"""Error after a block is switched off, block by block, nets of one depth side by side."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any

from plotly.graph_objects import Bar, Figure, Scatter

from benchmarks.figures.canvas import (
    Label,
    add_line,
    empty_figure,
    label_line_ends,
    new_figure,
    remember_dark,
)
from benchmarks.figures.style import Colour, family_colour
from benchmarks.why.stored import Stored

GUESSING = Colour("#7c8794", "#94a3b8")
Row = dict[str, Any]


def surgery_figures(stored: Stored) -> list[Figure]:
    """One figure for each depth, the shallowest first."""
    depths = sorted({model["depth"] for model in stored.models})
    return [_surgery_figure(stored, depth) for depth in depths]


def _surgery_figure(stored: Stored, depth: int) -> Figure:
    models = [model for model in stored.models if model["depth"] == depth]
    measured = [(m, rows) for m in models if (rows := _rows_of(stored, m["name"]))]
    if not measured:
        return empty_figure(f"{depth} layers", "The first block is being switched off.")
    figure = new_figure(_finding(measured), "block switched off", "error")
    figure.update_yaxes(ticksuffix=" %", rangemode="tozero")
    labels = []
    for model, rows in measured:
        colour = family_colour(model["family"], model["depth"])
        _add_bars(figure, model["name"], rows, colour)
        _add_swaps(figure, model["name"], rows, colour)
        labels += _add_whole(figure, model["name"], rows, colour)
    labels.append(_add_guessing(figure, stored, measured[0][1]))
    _name_blocks(figure, [row for _, rows in measured for row in rows])
    label_line_ends(figure, labels)
    figure.update_layout(barmode="group", bargap=0.2, bargroupgap=0.0)
    return figure


def _rows_of(stored: Stored, name: str) -> list[Row]:
    return [row for row in stored.rows if row["model"] == name]


def _single(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if len(row["off"]) == 1 and not row["swapped"]]


def _whole(rows: Sequence[Row]) -> float | None:
    return next((r["error_percent"] for r in rows if not r["off"] and not r["swapped"]), None)


def _add_bars(figure: Figure, name: str, rows: Sequence[Row], colour: Colour) -> None:
    single, whole = _single(rows), _whole(rows)
    remember_dark(figure, colour)
    figure.add_trace(
        Bar(
            x=[row["off"][0] for row in single],
            y=[row["error_percent"] for row in single],
            name=name,
            marker={"color": colour.light},
            customdata=[
                [row["stage"], row["error_percent"] - (whole or 0.0), _about(row)] for row in single
            ],
            hovertemplate=(
                f"{name} without block %{{x}} (stage %{{customdata[0]}}%{{customdata[2]}})<br>"
                "error %{y:.1f} %, %{customdata[1]:+.1f} points<extra></extra>"
            ),
        )
    )


def _about(row: Row) -> str:
    return ", changes the shape" if row["changes_shape"] else ""


def _add_swaps(figure: Figure, name: str, rows: Sequence[Row], colour: Colour) -> None:
    swaps = [row for row in rows if len(row["swapped"]) == 1 and not row["off"]]
    if not swaps:
        return
    figure.add_trace(
        Scatter(
            x=[sum(row["swapped"][0]) / 2 for row in swaps],
            y=[row["error_percent"] for row in swaps],
            mode="markers",
            name=f"{name}, neighbours swapped",
            showlegend=False,  # the page says what a diamond is
            marker={"symbol": "diamond-open", "color": colour.light, "size": 7},
            customdata=[row["swapped"][0] for row in swaps],
            hovertemplate=(
                f"{name}, blocks %{{customdata[0]}} and %{{customdata[1]}} swapped<br>"
                "error %{y:.1f} %<extra></extra>"
            ),
        )
    )


def _add_whole(figure: Figure, name: str, rows: Sequence[Row], colour: Colour) -> list[Label]:
    whole = _whole(rows)
    if whole is None:
        return []
    _add_level(figure, rows, whole, f"{name} as trained", colour, "6px,4px")
    return [Label(name, whole, colour, is_dashed=True)]


def _add_guessing(figure: Figure, stored: Stored, rows: Sequence[Row]) -> Label:
    classes = int(stored.header.get("classes", 10))
    error = 100 - 100 / classes
    _add_level(figure, rows, error, "guessing", GUESSING, "2px,3px")
    return Label("guessing", error, GUESSING, is_dashed=True)


def _add_level(
    figure: Figure, rows: Sequence[Row], error: float, name: str, colour: Colour, dash: str
) -> None:
    last = max((row["off"][0] for row in _single(rows)), default=1)
    hover = f"{name}: error %{{y:.1f}} %"
    add_line(
        figure, [0.5, last + 0.5], [error, error], name, colour, dash, hover, [[], []], width=1.5
    )


def _name_blocks(figure: Figure, rows: Sequence[Row]) -> None:
    """Every block's number where there is room; an arrow where the shape changes."""
    blocks = {row["off"][0]: row["changes_shape"] for row in _single(rows)}
    if not blocks:
        return
    every = 1 if len(blocks) <= 12 else 3
    shown = [n for n, changes in sorted(blocks.items()) if changes or n % every == 1 or every == 1]
    figure.update_xaxes(
        tickvals=shown,
        ticktext=[f"{n}↓" if blocks[n] else str(n) for n in shown],
        tickangle=0,
        range=[0.4, max(blocks) + 0.6],
    )


def _finding(measured: Sequence[tuple[Row, Sequence[Row]]]) -> str:
    """What one block is worth: the median of the changes, net by net."""
    said = []
    for model, rows in measured:
        whole, single = _whole(rows), _single(rows)
        if whole is not None and single:
            change = median(row["error_percent"] for row in single) - whole
            said.append(f"{model['name']} errs {change:.1f} points more")
    return f"Without one block {', '.join(said)} (median)" if said else "One block switched off"
