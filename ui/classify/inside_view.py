"""Inside a net as HTML: heat over the picture, what its colours mean, and what each stage makes."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.heat import colour_table, draw_strip, lay_over
from export.inside import Inside, Stage
from export.inside_commands import CHANNELS, STRIP_PIXELS
from ui.classify.answers import data_url
from ui.html import render_command

EMPTY = '<p class="lab-note">Drop in a picture first: what the net sees in it appears here.</p>'
THIRDS = (("top left", "top", "top right"), ("left", "middle", "right"),
          ("bottom left", "bottom", "bottom right"))  # fmt: skip
SCALE_STOPS = 9


def render_inside(inside: Inside, at: int, square: Image.Image, command: str) -> str:
    """One class's heat over the square that the net saw of the picture, then the stages.

    Args:
        at: the class's place in the net's list.
    """
    return (
        f'<div class="lab-inside" role="status">{_heat(inside, at, square)}'
        f"{_stages(inside.stages)}{render_command(command)}</div>"
    )


def _heat(inside: Inside, at: int, square: Image.Image) -> str:
    name, places = escape(inside.class_names[at]), inside.maps[at]
    rows, columns = places.shape
    where = _where(places)
    return (
        '<div class="lab-heat"><figure>'
        f'<img alt="Your picture with heat over it: most for {name} at the {where}" '
        f'src="{data_url(lay_over(places, square), "JPEG")}">'
        f"<figcaption>What speaks for “{name}”, over the square that the net saw</figcaption>"
        "</figure><div>"
        f"<h3>Most for “{name}”: {where}</h3>{_scale(places)}"
        f"<p>Each of the {rows} × {columns} places adds its share to the net's score for “{name}”. "
        f"With the bias they add up to it, exactly: {_number(float(places.sum()))} {_signed(float(inside.bias[at]))} "
        f"= {_number(float(inside.logits[at]))}.</p>"
        '<p class="lab-about">A class activation map (Zhou et al. 2016): possible without an estimate '
        "because this net ends in an average over places and one linear layer. A place also knows "
        "something of its surroundings.</p></div></div>"
    )


def _scale(places: NDArray[np.float32]) -> str:
    table = colour_table()
    stops = [table[round(at)] for at in np.linspace(0, len(table) - 1, SCALE_STOPS)]
    colours = ", ".join(f"rgb({r} {g} {b})" for r, g, b in stops)
    low, high = float(places.min()), float(places.max())
    return (
        f'<div class="lab-scale"><span class="lab-scale-bar" style="background:linear-gradient(90deg, {colours})">'
        f"</span><span>dark: {_words(low, 'least')}</span><span>bright: {_words(high, 'most')}</span></div>"
    )


def _words(share: float, otherwise: str) -> str:
    side = "speaks against" if share < 0 else f"adds {otherwise}"
    return f"{side}, {_signed(share)}"


def _signed(number: float) -> str:
    return f"{'' if number < 0 else '+'}{_number(number)}"


def _number(number: float) -> str:
    return f"{number:.2f}".replace("-", "−")


def _where(places: NDArray[np.float32]) -> str:
    """The place that adds most, in words."""
    row, column = divmod(int(places.argmax()), places.shape[1])
    return THIRDS[3 * row // places.shape[0]][3 * column // places.shape[1]]


def _stages(stages: tuple[Stage, ...]) -> str:
    figures = "".join(map(_stage, stages))
    return (
        f"<h3>What each stage makes of it</h3><p>The {CHANNELS} channels of each stage that vary most "
        "over the picture; each from its lowest number, dark, to its highest, bright.</p>"
        f'<div class="lab-stages">{figures}</div>'
    )


def _stage(stage: Stage) -> str:
    chosen = stage.liveliest(CHANNELS)
    channels, rows, columns = stage.maps.shape
    said = f"{stage.title}: {len(chosen)} of {channels} channels, {rows} × {columns}"
    image = data_url(draw_strip(stage.maps[chosen], STRIP_PIXELS), "PNG")
    return f'<figure><img alt="{said}" src="{image}"><figcaption>{said}</figcaption></figure>'
