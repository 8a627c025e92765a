"""The loss around a trained net: surfaces on the same axes, or the same from above."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, log10
from statistics import median
from typing import Any

from plotly.graph_objects import Contour, Figure, Surface

from benchmarks.figures.canvas import empty_figure, new_figure
from benchmarks.figures.style import TEMPLATES
from benchmarks.why.stored import Stored

COLOURS = "Viridis"  # in order of brightness, on either background, for any eyes
LEAST_LOSS = 1e-3  # a lower loss is drawn here: a logarithm has no zero
WIDEST_DECADES = 4  # a far point's loss may be astronomic: higher ones are cut off, and said so
NOTHING = "The first points are being measured."
Point = dict[str, Any]


def landscape_figures(stored: Stored, from_above: bool = False) -> list[Figure]:
    """One figure a net, in the order asked, on the same axes and colours.

    Args:
        from_above: contours instead of a surface: needs no 3-D graphics.
    """
    if not stored.rows:
        return [empty_figure(model["name"], NOTHING) for model in stored.models]
    low, high = _shared_range([point["loss"] for point in stored.rows])
    draw = _from_above if from_above else _surface
    figures = []
    for model in stored.models:
        points = [row for row in stored.rows if row["model"] == model["name"]]
        figures.append(
            draw(model["name"], points, low, high)
            if points
            else empty_figure(model["name"], NOTHING)
        )
    return figures


def _shared_range(losses: Sequence[float]) -> tuple[float, float]:
    """Decades of loss that all surfaces are drawn in."""
    low = log10(max(min(losses), LEAST_LOSS))
    return low, max(low + 0.1, min(log10(max(max(losses), LEAST_LOSS)), low + WIDEST_DECADES))


def loss_grid(
    points: Sequence[Point], low: float, high: float
) -> tuple[list[float], list[float], list[list[float | None]]]:
    """Ticks of x and y, and log10 of the loss by row; None where it is not measured yet."""
    xs, ys = sorted({p["x"] for p in points}), sorted({p["y"] for p in points})
    heights = {
        (p["x"], p["y"]): min(max(log10(max(p["loss"], LEAST_LOSS)), low), high) for p in points
    }
    return xs, ys, [[heights.get((x, y)) for x in xs] for y in ys]


def _title(name: str, points: Sequence[Point], high: float) -> str:
    here = next((p["loss"] for p in points if p["x"] == 0 and p["y"] == 0), None)
    if here is None:
        return f"{name}: the loss around it"
    reach = max(abs(p["x"]) for p in points)
    rim = median(p["loss"] for p in points if max(abs(p["x"]), abs(p["y"])) == reach)
    cut = " (cut off at the top)" if max(p["loss"] for p in points) > 1.001 * 10**high else ""
    return f"{name}: loss {_short(here)} at the net, {_short(rim)} at the rim{cut}"


def _short(loss: float) -> str:
    return f"{loss:,.0f}" if loss >= 100 else f"{loss:.3g}"


def _ticks(low: float, high: float) -> tuple[list[float], list[str]]:
    losses = [
        step * 10.0**decade
        for decade in range(floor(low), ceil(high) + 1)
        for step in ((1, 2, 5) if high - low < 2 else (1,))
    ]
    shown = [loss for loss in losses if low <= log10(loss) <= high]
    return [log10(loss) for loss in shown], [f"{loss:,g}" for loss in shown]


def _hover(points: Sequence[Point], xs: list[float], ys: list[float]) -> list[list[list[Any]]]:
    facts = {(p["x"], p["y"]): [p["loss"], p["error_percent"]] for p in points}
    return [[facts.get((x, y), [None, None]) for x in xs] for y in ys]


HOVER = (
    "%{x:+.2f} along the first direction, %{y:+.2f} along the second<br>"
    "loss %{customdata[0]:.3f}, error %{customdata[1]:.1f} %<extra></extra>"
)


def _surface(name: str, points: Sequence[Point], low: float, high: float) -> Figure:
    xs, ys, z = loss_grid(points, low, high)
    tickvals, ticktext = _ticks(low, high)
    figure = Figure(
        layout={
            "template": TEMPLATES["light"],
            "title": {"text": _title(name, points, high)},
            "uirevision": "keep",
            "meta": {"dark": {}},
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "scene": {
                "xaxis": {"title": {"text": "direction 1"}, "nticks": 5},
                "yaxis": {"title": {"text": "direction 2"}, "nticks": 5},
                "zaxis": {
                    "title": {"text": "loss"},
                    "range": [low, high],
                    "tickvals": tickvals,
                    "ticktext": ticktext,
                },
                "aspectmode": "manual",
                "aspectratio": {"x": 1, "y": 1, "z": 0.75},
                "camera": {
                    "eye": {"x": 1.3, "y": 1.3, "z": 0.95},
                    "center": {"x": 0, "y": 0, "z": -0.12},
                },
            },
        }
    )
    figure.add_trace(
        Surface(
            x=xs, y=ys, z=z, name=name, colorscale=COLOURS, cmin=low, cmax=high, showscale=False,
            connectgaps=True, customdata=_hover(points, xs, ys), hovertemplate=HOVER,
            contours={"z": {"show": True, "usecolormap": True, "width": 1, "highlight": False}},
        )
    )  # fmt: skip
    return figure


def _from_above(name: str, points: Sequence[Point], low: float, high: float) -> Figure:
    xs, ys, z = loss_grid(points, low, high)
    tickvals, ticktext = _ticks(low, high)
    figure = new_figure(_title(name, points, high), "direction 1", "direction 2")
    figure.update_xaxes(rangemode="normal")
    figure.add_trace(
        Contour(
            x=xs, y=ys, z=z, name=name, colorscale=COLOURS, zmin=low, zmax=high, connectgaps=True,
            contours={"start": low, "end": high, "size": (high - low) / 12, "coloring": "heatmap"},
            line={"width": 0.7}, customdata=_hover(points, xs, ys), hovertemplate=HOVER,
            colorbar={
                "title": {"text": "loss"}, "tickvals": tickvals, "ticktext": ticktext,
                "thickness": 12, "outlinewidth": 0,
            },
        )
    )  # fmt: skip
    return figure
