"""What an engine's layers take: a bar each."""

from __future__ import annotations

import re
from html import escape
from typing import Any

from plotly.graph_objects import Bar, Figure

from benchmarks.figures.canvas import break_lines, new_figure, remember_dark, significant
from benchmarks.figures.speed_style import short_name
from benchmarks.figures.style import OTHER_COLOUR, Colour, part_colour, percent

PARTS = ("input", "stem", "stage1", "stage2", "stage3", "pre_logits", "classifier")
NO_LAYER = Colour(OTHER_COLOUR, "#a3b1c4")
OUTSIDE_COLOUR = Colour("#b45309", "#fbbf24")
BAR_PX, FRAME_PX = 17, 110
CONVOLUTION = re.compile(r"conv(?!ert)", re.IGNORECASE)
Row = dict[str, Any]


def profile_figure(stored: Row) -> Figure:
    """A bar a layer in the order they ran, and one for the time outside them.

    Args:
        stored: what `benchmarks profile --json` writes.
    """
    images = stored["batch_size"]
    batch = "an image" if images == 1 else f"a batch of {images} images"
    figure = new_figure(profile_title(stored), f"milliseconds {batch}", "")
    bars = [*stored["layers"], _outside(stored)]
    colours = [_bar_colour(bar["layer"]) for bar in bars[:-1]] + [OUTSIDE_COLOUR]
    for colour in colours:
        remember_dark(figure, colour)
    figure.add_trace(
        Bar(
            orientation="h",
            y=[bar["layer"] for bar in bars],
            x=[significant(bar["ms"]) for bar in bars],
            marker={"color": [colour.light for colour in colours]},
            customdata=[
                [percent(bar["share_percent"]), break_lines(", ".join(bar["kinds"]), 48)]
                for bar in bars
            ],
            hovertemplate=(
                "<b>%{y}</b><br>%{x:.3f} ms, %{customdata[0]}<br>%{customdata[1]}<extra></extra>"
            ),
        )
    )
    figure.update_yaxes(autorange="reversed", tickmode="linear", dtick=1, tickfont={"size": 10})
    figure.update_layout(height=FRAME_PX + BAR_PX * len(bars), bargap=0.25)
    return figure


def _outside(stored: Row) -> Row:
    return {
        "layer": "outside layers",
        "ms": stored["outside_ms"],
        "share_percent": stored["outside_percent"],
        "kinds": ["the engine's own work between its layers"],
    }


def _bar_colour(layer: str) -> Colour:
    part = layer.split(".")[0]
    return part_colour(PARTS.index(part), len(PARTS)) if part in PARTS else NO_LAYER


def profile_title(stored: Row) -> str:
    """How much of the time convolutions take, and which layer takes most."""
    rows = stored["operations"]
    share = sum(row["share_percent"] for row in rows if CONVOLUTION.search(row["kind"]))
    most = max(stored["layers"], key=lambda row: row["ms"])
    return (
        f"Convolutions take {percent(share)} of {escape(stored['model'])}'s time on "
        f"{short_name(stored)}; {escape(most['layer'])} takes most, {percent(most['share_percent'])}"
    )
