"""Depth against work in words: a sentence, a table, a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from benchmarks.work.papers import SOURCE

if TYPE_CHECKING:
    from benchmarks.work.nets import CountedNet

HEADINGS = ("net", "name", "layers", "parameters", "multiply-adds", "in He et al. 2015", "source")
NOTHING = "–"
DEEPEST, RIVAL = "resnet152", "vgg19"
HOW = (
    "Counted on the nets themselves for one photo of 224 × 224 and 1000 classes: layers with "
    "weights on the longest path, and multiply-adds of convolutions and linear layers, which the "
    f"paper calls FLOPs. Its figures: {SOURCE}."
)


def finding(nets: Sequence[CountedNet]) -> str:
    """The deepest net against VGG-19, in figures that were counted."""
    by_name = {net.name: net for net in nets}
    deep, rival = by_name[DEEPEST], by_name[RIVAL]
    share = deep.multiply_adds / rival.multiply_adds
    return (
        f"{deep.title}: {deep.layers} layers, {deep.layers / rival.layers:.1f} times as deep as "
        f"{rival.title}, with {100 * share:.0f} % of its multiply-adds"
    )


def cells(net: CountedNet) -> list[str]:
    """The net in words with units, in the order of `HEADINGS`."""
    paper = NOTHING if net.paper_billions is None else f"{net.paper_billions} billion"
    return [
        net.title, net.name, str(net.layers), f"{net.params / 1e6:.2f} M",
        f"{net.billions:.2f} billion", paper, net.paper,
    ]  # fmt: skip


def as_table(nets: Sequence[CountedNet]) -> str:
    """A line a net, for a terminal."""
    lines = [list(HEADINGS), *map(cells, nets)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_page(nets: Sequence[CountedNet]) -> str:
    """Figure and table in one HTML file that needs no other and no network."""
    from benchmarks.figures.depth_against_work import work_figure
    from benchmarks.figures.downloads import html_page, render_figure, render_table

    body = [
        render_figure(work_figure(nets)),
        f"<p>{escape(HOW)}</p>",
        "<h2>Every net</h2>",
        render_table(HEADINGS, [cells(net) for net in nets]),
    ]
    return html_page("Depth against work", "\n".join(body))
