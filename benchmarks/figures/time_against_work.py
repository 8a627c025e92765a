"""Time against work: how long one photo takes a net, over its multiply-adds; a point a net."""

from __future__ import annotations

from html import escape

from plotly.graph_objects import Figure, Scatter

from benchmarks.figures.canvas import new_figure, remember_dark, significant
from benchmarks.figures.depth_against_work import RINGS, look_of
from benchmarks.work.report import time_finding
from benchmarks.work.rows import CountedNet, TimedNet
from benchmarks.work.stored import StoredWork

PLACES = {"vgg16": "bottom center", "vgg19": "middle left", "resnet152": "middle left"}
"""Where a name stands, if not on the right: no name lies on another, none leaves the plot."""


def time_figure(found: StoredWork) -> Figure:
    """Medians with their 95 % intervals; the layers stand beside each name."""
    figure = new_figure(
        time_finding(found.nets, found.times), "multiply-adds for a photo, billions",
        "one photo, ms",
    )  # fmt: skip
    figure.update_yaxes(rangemode="tozero")
    by_name = {net.name: net for net in found.nets}
    for time in found.times:
        _add_net(figure, by_name[time.name], time)
    return figure


def _add_net(figure: Figure, net: CountedNet, time: TimedNet) -> None:
    _, colour = look_of(net)
    remember_dark(figure, colour)
    is_ring = net.family in RINGS
    figure.add_trace(
        Scatter(
            x=[significant(net.billions)],
            y=[significant(time.median_ms)],
            # The ring lies on the net that it is a twin of, which has the name.
            mode="markers" if is_ring else "markers+text",
            name=escape(net.title),
            text=[escape(net.title)],
            textposition=PLACES.get(net.name, "middle right"),
            cliponaxis=False,
            marker={
                "color": colour.light, "size": 15 if is_ring else 10,
                "symbol": "circle-open" if is_ring else "circle",
            },
            error_y={
                "type": "data", "symmetric": False, "color": colour.light, "thickness": 1.5,
                "array": [significant(time.high_ms - time.median_ms)],
                "arrayminus": [significant(time.median_ms - time.low_ms)],
            },
            customdata=[[net.name, _hover(net, time)]],
            hovertemplate="%{customdata[1]}<extra></extra>",
        )
    )  # fmt: skip


def _hover(net: CountedNet, time: TimedNet) -> str:
    return "<br>".join(
        (
            f"<b>{escape(net.title)}</b> ({escape(net.name)}), {net.layers} layers",
            f"{time.median_ms:.0f} ms ({time.low_ms:.0f} to {time.high_ms:.0f})",
            f"{net.billions:.2f} billion multiply-adds",
        )
    )
