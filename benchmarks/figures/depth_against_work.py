"""Depth against work: layers against multiply-adds, a circle a net, its area the parameters."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10

from plotly.graph_objects import Figure, Scatter

from benchmarks.figures.canvas import new_figure, remember_dark, significant
from benchmarks.figures.style import FAMILY_COLOURS, OTHER_COLOUR, Colour
from benchmarks.work.papers import SOURCE
from benchmarks.work.report import finding
from benchmarks.work.rows import CountedNet

# What the legend calls a family, and its colour; the plain and the residual ones are the house's.
LOOKS = {
    "alexnet": ("AlexNet, VGG", Colour(OTHER_COLOUR, "#a3b1c4")),
    "vgg": ("AlexNet, VGG", Colour(OTHER_COLOUR, "#a3b1c4")),
    "photo_wide_resnet": ("Wide ResNet", Colour("#6d4fb0", "#b7a3ee")),
    "photo_resnext": ("ResNeXt", Colour("#8a6d0b", "#e8c35a")),
    "photo_resnet": ("ResNet", Colour(FAMILY_COLOURS["resnet_v1"], "#4da3d9")),
    "photo_resnet_paper": ("ResNet, stride as in the paper", Colour("#0f7f8c", "#5fd0dc")),
    "photo_plain": ("plain", Colour(FAMILY_COLOURS["plain"], "#f08a3c")),
}
# Their circles lie on those of ResNets: rings leave both to be seen.
RINGS = ("photo_plain", "photo_resnet_paper")
PAPER_COLOUR = Colour("#475569", "#cbd5e1")
# Where a name stands beside its circle: on a phone, too, none lies on another.
ABOVE, LEFT = "above", "left"
NAMED = {
    "alexnet": ABOVE, "vgg16": LEFT, "vgg19": LEFT,
    "resnet18": ABOVE, "resnet50": ABOVE, "resnet101": ABOVE, "resnet152": ABOVE,
    "wide_resnet50_2": LEFT, "wide_resnet101_2": LEFT,
}  # fmt: skip
LARGEST_PX = 46  # across the circle of the net with most parameters
ROOM = 0.12  # of the axis, free at each end for names
LEAST_TICK_RATIO = 1.2  # of neighbouring depths: ticks that are nearer would be printed over


def work_figure(nets: Sequence[CountedNet]) -> Figure:
    """A trace a family, in the legend; the paper's own figures as open diamonds."""
    figure = new_figure(finding(nets), "layers with weights", "multiply-adds for a photo, billions")
    _name_depths(figure, sorted({net.layers for net in nets}))
    figure.update_yaxes(rangemode="tozero")
    most = max(net.params for net in nets)
    for label, colour in dict.fromkeys(LOOKS.values()):
        shown = [net for net in nets if look_of(net) == (label, colour)]
        _add_family(figure, label, colour, shown, most)
    _add_papers(figure, nets)
    _name_nets(figure, nets)
    figure.update_layout(showlegend=True, legend_itemsizing="constant")
    return figure


def _name_depths(figure: Figure, depths: Sequence[int]) -> None:
    """A logarithmic axis whose ticks are depths that there are."""
    ticks = [depths[0]]
    for depth in depths:
        if depth >= LEAST_TICK_RATIO * ticks[-1]:
            ticks.append(depth)
    low, high = log10(depths[0]), log10(depths[-1])
    figure.update_xaxes(
        type="log", rangemode="normal", tickmode="array", tickvals=ticks,
        ticktext=[str(depth) for depth in ticks],
        range=[low - ROOM * (high - low), high + ROOM * (high - low)],
    )  # fmt: skip


def look_of(net: CountedNet) -> tuple[str, Colour]:
    """The legend's words and colour for a net's family."""
    key = "photo_resnext" if net.family.startswith("photo_resnext") else net.family
    return LOOKS[key]


def _add_family(
    figure: Figure, label: str, colour: Colour, nets: Sequence[CountedNet], most: int
) -> None:
    remember_dark(figure, colour)
    figure.add_trace(
        Scatter(
            x=[net.layers for net in nets],
            y=[significant(net.billions) for net in nets],
            mode="markers",
            name=label,
            marker={
                "color": colour.light,
                "symbol": ["circle-open" if net.family in RINGS else "circle" for net in nets],
                "opacity": 0.75,
                "size": [net.params for net in nets],
                "sizemode": "area",
                "sizeref": 2 * most / LARGEST_PX**2,
                "sizemin": 3,
            },
            customdata=[[net.name, _hover(net)] for net in nets],
            hovertemplate="%{customdata[1]}<extra></extra>",
        )
    )


def _hover(net: CountedNet) -> str:
    said = [
        f"<b>{escape(net.title)}</b> ({escape(net.name)})",
        f"{net.layers} layers, {net.params / 1e6:.1f} million parameters",
        f"{net.billions:.2f} billion multiply-adds",
    ]
    if net.paper_billions is not None:
        said.append(f"He et al. 2015: {net.paper_billions} billion")
    return "<br>".join(said)


def _add_papers(figure: Figure, nets: Sequence[CountedNet]) -> None:
    known = [net for net in nets if net.paper_billions is not None]
    remember_dark(figure, PAPER_COLOUR)
    figure.add_trace(
        Scatter(
            x=[net.layers for net in known],
            y=[net.paper_billions for net in known],
            mode="markers",
            name="◇ as He et al. 2015 give it",
            marker={
                "symbol": "diamond-open", "size": 9, "color": PAPER_COLOUR.light,
                "line": {"width": 1.4, "color": PAPER_COLOUR.light},
            },
            customdata=[[net.name, net.title] for net in known],
            hovertemplate=f"%{{customdata[1]}}: %{{y}} billion<br>{SOURCE}<extra></extra>",
        )
    )  # fmt: skip


def _name_nets(figure: Figure, nets: Sequence[CountedNet]) -> None:
    """Names beside the circles that tell the story; the others answer a pointer."""
    most = max(net.params for net in nets)
    for net in nets:
        if place := NAMED.get(net.name):
            distance = LARGEST_PX / 2 * (net.params / most) ** 0.5 + 2
            where = (
                {"xanchor": "center", "yanchor": "bottom", "yshift": distance}
                if place == ABOVE
                else {"xanchor": "right", "yanchor": "middle", "xshift": -distance}
            )
            figure.add_annotation(
                x=log10(net.layers), y=net.billions, text=escape(net.title), **where
            )
