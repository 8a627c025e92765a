"""How every figure looks: colours, dashes, two templates, numbers in words. No plotly at import.

A figure is drawn in the light colours and carries their dark twins in `layout.meta`; a page
that turns dark swaps them and the template, with no new request.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FAMILY_COLOURS = {
    "plain": "#d55e00",
    "resnet_v1": "#0072b2",
    "resnet_v2": "#009e73",
    "highway": "#cc79a7",
}
OTHER_COLOUR = "#64748b"
TRAIN_DASH = "6px,4px"
VALIDATION_DASH = "solid"
SHALLOWEST, DEEPEST = 20, 1202  # depths between which a family's colour goes from plain to full
MOST_SHADE = 0.65
RUN_HEIGHTS = {"error": 300, "loss": 210, "gradients": 210, "learning_rate": 170, "speed": 170}
"""Of each figure of a run on the page, in pixels, in the order in which they stand."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


@dataclass(frozen=True)
class Colour:
    """One meaning on two backgrounds."""

    light: str
    dark: str


def family_colour(family: str, depth: int) -> Colour:
    """The family's colour; deeper nets stand out more: darker on white, lighter on black."""
    base = FAMILY_COLOURS.get(family, OTHER_COLOUR)
    share = math.log(max(depth, SHALLOWEST) / SHALLOWEST) / math.log(DEEPEST / SHALLOWEST)
    amount = MOST_SHADE * min(1.0, math.sqrt(share))
    return Colour(mix(base, "#000000", amount), mix(base, "#ffffff", amount))


def part_colour(number: int, parts: int) -> Colour:
    """The colour of one part of a net, from the input (grey) to the output (full blue)."""
    share = number / max(1, parts - 1)
    return Colour(mix("#94a3b8", "#0b3d91", share), mix("#7c8ba1", "#8ec5ff", share))


def mix(colour: str, other: str, share: float) -> str:
    """`share` of `other` in `colour`, both #rrggbb."""
    channels = [
        round((1 - share) * int(colour[at : at + 2], 16) + share * int(other[at : at + 2], 16))
        for at in (1, 3, 5)
    ]
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def make_template(text: str, quiet: str, line: str, grid: str, surface: str) -> dict[str, Any]:
    """A plotly template; `surface` is what hover boxes are filled with."""
    axis = {
        "automargin": True,
        "gridcolor": grid,
        "linecolor": line,
        "showline": True,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": line,
        "tickfont": {"color": quiet},
        "title": {"font": {"color": quiet, "size": 12}, "standoff": 6},
    }
    solid_axis = {
        "backgroundcolor": "rgba(0,0,0,0)",
        "gridcolor": line,
        "linecolor": line,
        "zeroline": False,
        "showspikes": False,
        "tickfont": {"color": quiet, "size": 11},
        "title": {"font": {"color": quiet, "size": 12}},
    }
    return {
        "layout": {
            "font": {"family": FONT, "size": 12, "color": text},
            "title": {"font": {"size": 15, "color": text}, "x": 0, "xref": "paper"},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "margin": {"l": 12, "r": 12, "t": 30, "b": 12},
            "xaxis": axis,
            "yaxis": axis,
            "scene": {f"{name}axis": solid_axis for name in "xyz"},
            "hovermode": "closest",
            "hoverlabel": {
                "bgcolor": surface,
                "bordercolor": line,
                "font": {"family": FONT, "size": 12, "color": text},
                "align": "left",
            },
            "legend": {
                "orientation": "h",
                "yanchor": "top",
                "y": -0.22,
                "xanchor": "left",
                "x": 0,
                "bgcolor": "rgba(0,0,0,0)",
                "font": {"color": text},
            },
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": quiet, "activecolor": text},
            "annotationdefaults": {"showarrow": False, "font": {"color": quiet}},
        }
    }


TEMPLATES = {
    "light": make_template("#1f2937", "#475569", "#94a3b8", "#e5e7eb", "#ffffff"),
    "dark": make_template("#f1f5f9", "#cbd5e1", "#64748b", "#334155", "#1e293b"),
}


def plotly_js_file() -> Path:
    """plotly.min.js as the installed plotly package holds it; plotly is not imported."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


def percent(value: float) -> str:
    """8.25 %, 34.2 %."""
    return f"{value:.2f} %" if value < 10 else f"{value:.1f} %"


def clock(seconds: float) -> str:
    """1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def duration(seconds: float) -> str:
    """19 s, 7:25 min, 1:02:03 h: a time that nothing beside it says the unit of."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{clock(seconds)} {'h' if whole >= 3600 else 'min'}"
