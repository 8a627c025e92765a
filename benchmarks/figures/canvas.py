"""The parts that figures are put together from: an empty canvas, lines, labels at their ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from typing import Any

from plotly.graph_objects import Figure, Scatter

from benchmarks.figures.style import TEMPLATES, Colour

NOTHING_YET = "The first point appears after about a second of training."
LETTER_PX = 6.6
CAPITAL_PX = 8.6
LINE_PX = 15.5
USUAL_HEIGHT = 285
AROUND_PLOT_PX = 79  # of a figure's height: its axis below, its buttons above
LOG: dict[str, Any] = {"type": "log", "dtick": "D2", "minorloglabels": "complete"}
"""An axis with 1, 2 and 5 of each decade, each written in full."""


def new_figure(title: str, x_title: str, y_title: str) -> Figure:
    """A canvas in the light template; a constant `uirevision` keeps a zoom while data change."""
    return Figure(
        layout={
            "template": TEMPLATES["light"],
            "title": {"text": title},
            "xaxis": {"title": {"text": x_title}, "rangemode": "tozero"},
            "yaxis": {"title": {"text": y_title}},
            "uirevision": "keep",
            "showlegend": False,
            "meta": {"dark": {}},
        }
    )


def empty_figure(title: str, message: str = NOTHING_YET) -> Figure:
    """What stands where nothing can be drawn yet: one quiet sentence."""
    figure = new_figure(title, "", "")
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    figure.add_annotation(
        text=break_lines(message), xref="paper", yref="paper", x=0.5, y=0.5, font_size=13
    )
    return figure


def break_lines(text: str, width: int = 38) -> str:
    """Lines short enough for a phone, joined as plotly wants them."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)


@dataclass(frozen=True)
class Label:
    """A word to stand at the right edge, at the height of a line's end, after a bit of the line."""

    text: str
    y: float
    colour: Colour
    is_dashed: bool = False
    mark: str = ""
    """What the line is told by; its dash, if not said."""


def add_line(
    figure: Figure,
    x: Sequence[float],
    y: Sequence[float | None],
    name: str,
    colour: Colour,
    dash: str,
    hover: str,
    customdata: Sequence[Sequence[Any]],
    marks: bool = False,
    width: float = 2,
) -> None:
    """One line; `hover` is a plotly hover template, `marks` draws its points."""
    remember_dark(figure, colour)
    # A single point is no line: it has to be seen as well.
    mode = "lines+markers" if marks or len(x) == 1 else "lines"
    figure.add_trace(
        Scatter(
            x=[significant(value) for value in x],
            y=[None if value is None else significant(value) for value in y],
            name=name,
            mode=mode,
            line={"color": colour.light, "dash": dash, "width": width},
            marker={"color": colour.light, "size": 5},
            hovertemplate=hover + "<extra></extra>",
            customdata=customdata,
            connectgaps=False,
        )
    )


def significant(value: float, digits: int = 6) -> float:
    """The value as precise as a screen can show: a live figure is sent every second."""
    return float(f"{value:.{digits}g}")


def remember_dark(figure: Figure, colour: Colour) -> None:
    """Note the colour's dark twin for a page that turns dark."""
    meta = figure.layout.meta
    figure.layout.meta = {**meta, "dark": {**meta["dark"], colour.light: colour.dark}}


def label_line_ends(
    figure: Figure,
    labels: Sequence[Label],
    log: bool = False,
    shown: tuple[float, float] | None = None,
    height: int = USUAL_HEIGHT,
) -> None:
    """Write each label beside the end of its line, apart from one another, and make room.

    Args:
        log: whether the axis is logarithmic.
        shown: the axis's own range, if the figure sets one; exponents where it is logarithmic.
        height: of the figure on the page, in pixels: a line of text is a larger share of a low one.
    """
    if not labels:
        return
    low, high = shown or _value_range(figure, log)
    ends = [(_height(label.y, log) - low) / (high - low) for label in labels]
    places = spread(ends, LINE_PX / (height - AROUND_PLOT_PX))
    for label, place in zip(labels, places, strict=True):
        remember_dark(figure, label.colour)
        figure.add_annotation(
            # The words in the ink of the page: a line's colour is too pale to read.
            text=f'<span style="color:{label.colour.light}"><b>{_mark(label)}</b></span> {label.text}',
            xref="paper",
            x=1,
            xanchor="left",
            xshift=5,
            y=low + place * (high - low),
            yanchor="middle",
            align="left",
        )
    figure.update_layout(margin_r=round(32 + max(_width(unescape(each.text)) for each in labels)))


def _mark(label: Label) -> str:
    return label.mark or ("- -" if label.is_dashed else "—")


def _width(text: str) -> float:
    """Of a line of text, in pixels."""
    return sum(CAPITAL_PX if letter.isupper() else LETTER_PX for letter in text)


def _value_range(figure: Figure, log: bool) -> tuple[float, float]:
    """What plotly's autorange will show: from zero, or the decades that hold the data."""
    values = [_height(v, log) for trace in figure.data for v in trace.y if v is not None]
    low = min(values) if log else 0.0
    high = max(values)
    return low, high if high > low else low + 1.0


def _height(value: float, log: bool) -> float:
    return math.log10(value) if log else value


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Heights, 0 to 1, moved as little as keeps neighbours `gap` apart, in the order given.

    They stay between 0 and 1 as long as there is room for all.
    """
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    # Blocks of labels that touch sit around the mean of where they would be.
    blocks: list[tuple[float, list[int]]] = []
    for index in order:
        blocks.append((heights[index], [index]))
        while len(blocks) > 1 and _top(blocks[-2], gap) > _bottom(blocks[-1], gap):
            (centre_b, upper), (centre_a, lower) = blocks.pop(), blocks.pop()
            both = lower + upper
            centre = (centre_a * len(lower) + centre_b * len(upper)) / len(both)
            blocks.append((_inside(centre, len(both), gap), both))
    moved = [0.0] * len(heights)
    for centre, members in blocks:
        for place, index in enumerate(members):
            moved[index] = centre + (place - (len(members) - 1) / 2) * gap
    return moved


def _inside(centre: float, members: int, gap: float) -> float:
    """The nearest centre of a block of so many that keeps all of them between 0 and 1."""
    half = min(0.5, (members - 1) * gap / 2)
    return min(max(centre, half), 1 - half)


def _top(block: tuple[float, list[int]], gap: float) -> float:
    return block[0] + len(block[1]) * gap / 2


def _bottom(block: tuple[float, list[int]], gap: float) -> float:
    return block[0] - len(block[1]) * gap / 2
