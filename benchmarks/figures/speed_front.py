"""Error against images a second: which nets on which engines nothing else beats at both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

from plotly.graph_objects import Figure, Scatter

from benchmarks.figures.canvas import empty_figure, new_figure, remember_dark, significant
from benchmarks.figures.speed_batch import NOTHING, so_far
from benchmarks.figures.speed_style import in_order, log_axis, mark_of, round_rate, short_name
from benchmarks.figures.style import Colour, family_colour, percent
from benchmarks.throughput.stored import Row, StoredSpeed, fastest

TITLE = "Error against images a second"
FRONT = Colour("#64748b", "#a3b1c4")
LABEL_ROOM = 0.15  # the front's names stand left of its points
NAME_PX = 32  # two lines
NAME_WIDTH_SHARE, NAME_HEIGHT_SHARE = 0.5, 0.12
"""Of the span of all points, on a phone."""
BEST, ONE = "best", "1"
BATCHES = (BEST, ONE)


@dataclass(frozen=True)
class Point:
    """A net on an engine."""

    row: Row
    error: float
    """Test error in percent."""
    colour: Colour

    @property
    def rate(self) -> float:
        return float(self.row["images_per_second"])

    @property
    def name(self) -> str:
        return f"{escape(self.row['model'])} on {short_name(self.row)}"


def front_figure(stored: StoredSpeed, batch: str = BEST) -> Figure:
    """Every net on every engine; the line joins those that nothing beats at both.

    Args:
        batch: `best` for the batch and threads at which an engine is fastest, or `1`.
    """
    points = points_of(stored, batch)
    if not points:
        return empty_figure(TITLE, NOTHING if batch == BEST else "No row of batch 1 was measured.")
    front = pareto_front(points)
    figure = new_figure(so_far(stored) + title(points, front), "images a second", "test error")
    figure.update_xaxes(log_axis([point.rate for point in points], LABEL_ROOM))
    figure.update_yaxes(ticksuffix=" %", rangemode="normal")
    _add_front(figure, front)
    _add_points(figure, points, front)
    _name_front(figure, points, front)
    return figure


def points_of(stored: StoredSpeed, batch: str) -> list[Point]:
    """A point a model, engine and precision: its fastest row, or its fastest of batch 1."""
    rows = [row for row in stored.measured if batch == BEST or row["batch_size"] == int(batch)]
    points = []
    for model in dict.fromkeys(row["model"] for row in rows):
        about = stored.model(model)
        for pair in in_order([row for row in rows if row["model"] == model]):
            row = fastest(
                [r for r in rows if (r["model"], r["engine"], r["precision"]) == (model, *pair)]
            )
            # What the engine itself answered, where all test images were put to it.
            error = row.get("test_error_percent")
            error = about["test_error_percent"] if error is None else error
            if error is not None:
                points.append(Point(row, error, family_colour(about["family"], about["depth"])))
    return points


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Those that no other beats: none is as quick and as right, and better at one. Slowest first."""

    def beats(a: Point, b: Point) -> bool:
        return (
            a.rate >= b.rate and a.error <= b.error and (a.rate > b.rate or a.error < b.error)
        )  # fmt: skip

    front = [point for point in points if not any(beats(other, point) for other in points)]
    return sorted(front, key=lambda point: point.rate)


def title(points: Sequence[Point], front: Sequence[Point]) -> str:
    """The ends of the front, in figures."""
    if len(points) == 1:
        return f"{points[0].name}: {_figures(points[0])}"
    if len(front) == 1:
        return f"Nothing beats {front[0].name}: {_figures(front[0])}"
    right, quick = front[0], front[-1]
    return (
        f"Fewest errors: {right.name}, {_figures(right)}. "
        f"Most images: {quick.name}, {_figures(quick)}"
    )


def _figures(point: Point) -> str:
    return f"{percent(point.error)} at {round_rate(point.rate)}"


def _add_front(figure: Figure, front: Sequence[Point]) -> None:
    if len(front) < 2:
        return
    remember_dark(figure, FRONT)
    figure.add_trace(
        Scatter(
            x=[significant(point.rate) for point in front],
            y=[significant(point.error) for point in front],
            mode="lines",
            name="nothing beats these",
            # Steps: a net between two measured ones is not there to choose.
            line={"color": FRONT.light, "width": 1.6, "shape": "vh"},
            hoverinfo="skip",
        )
    )


def _add_points(figure: Figure, points: Sequence[Point], front: Sequence[Point]) -> None:
    for point in points:
        remember_dark(figure, point.colour)
        row = point.row
        figure.add_trace(
            Scatter(
                x=[significant(point.rate)],
                y=[significant(point.error)],
                mode="markers",
                name=point.name,
                marker={
                    "color": point.colour.light,
                    "symbol": mark_of(row["engine"], row["precision"]),
                    "size": 12 if point in front else 9,
                },
                customdata=[[row["batch_size"], row["threads"]]],
                hovertemplate=(
                    f"<b>{point.name}</b><br>%{{y:.2f}} % test error<br>%{{x:,.0f}} images/s, batch "
                    "%{customdata[0]}, threads %{customdata[1]}<extra></extra>"
                ),
            )
        )


def _name_front(figure: Figure, points: Sequence[Point], front: Sequence[Point]) -> None:
    """The front's points by name, below and to the left, where no other point can be."""
    for point, row in zip(front, name_rows(points, front), strict=True):
        figure.add_annotation(
            x=log10(point.rate), y=point.error, text=f"{escape(point.row['model'])}<br>{short_name(point.row)}",
            xanchor="right", yanchor="top", align="right", xshift=-8, yshift=-4 - row * NAME_PX,
        )  # fmt: skip


def name_rows(points: Sequence[Point], front: Sequence[Point]) -> list[int]:
    """How many names lower each point's own stands, so that none is written over another's.

    On a phone a name is nearly half as wide as the plot.
    """
    width = log10(max(p.rate for p in points) / min(p.rate for p in points))
    height = max(p.error for p in points) - min(p.error for p in points)
    rows: list[int] = []
    for point, quicker in zip(reversed(front), [None, *reversed(front)], strict=False):
        is_beside = (
            quicker is not None
            and log10(quicker.rate / point.rate) < NAME_WIDTH_SHARE * width
            and quicker.error - point.error < NAME_HEIGHT_SHARE * height
        )
        rows.append(rows[-1] + 1 if is_beside else 0)
    return rows[::-1]
