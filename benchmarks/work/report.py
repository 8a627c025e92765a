"""Depth against work in words: a sentence, a table, a page."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from benchmarks.throughput.summary import median_interval
from benchmarks.work.papers import SOURCE
from benchmarks.work.rows import CountedNet, TimedNet
from benchmarks.work.stored import StoredWork

HEADINGS = ("net", "name", "layers", "parameters", "multiply-adds", "in He et al. 2015", "source")
TIME_HEADINGS = ("net", "layers", "multiply-adds", "one photo", "95 % interval", "for a billion")
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
    return _align([list(HEADINGS), *map(cells, nets)])


def _align(lines: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def time_finding(nets: Sequence[CountedNet], times: Sequence[TimedNet]) -> str:
    """The deepest net against VGG-19 in measured time, by the ratios of the rounds."""
    titles = {net.name: net.title for net in nets}
    by_name = {net.name: net for net in times}
    pairs = zip(by_name[DEEPEST].rounds_ms, by_name[RIVAL].rounds_ms, strict=True)
    ratio, low, high = median_interval([ours / theirs for ours, theirs in pairs])
    return (
        f"One photo takes {titles[DEEPEST]} {ratio:.2f} times as long as {titles[RIVAL]} "
        f"({low:.2f} to {high:.2f})"
    )


def time_cells(net: CountedNet, time: TimedNet) -> list[str]:
    """The net's time in words with units, in the order of `TIME_HEADINGS`."""
    each = time.median_ms / net.billions
    return [
        net.title, str(net.layers), f"{net.billions:.2f} billion", f"{time.median_ms:.0f} ms",
        f"{time.low_ms:.0f} to {time.high_ms:.0f} ms", f"{each:.0f} ms",
    ]  # fmt: skip


def time_rows(found: StoredWork) -> list[list[str]]:
    """A row for each net that was timed."""
    by_name = {net.name: net for net in found.nets}
    return [time_cells(by_name[time.name], time) for time in found.times]


def how_timed(found: StoredWork) -> str:
    """What the times are of."""
    rounds, machine = len(found.times[0].rounds_ms), found.environment
    return (
        f"Random weights, so time only: PyTorch {machine['torch']} eager, fp32, one photo of 224 × "
        f"224, all nets in turn, {rounds} rounds, medians with 95 % intervals; {machine['cpu']}, "
        f"{machine['threads']} threads."
    )


def as_text(found: StoredWork) -> str:
    """For a terminal: what was found, the tables, and how."""
    counted = f"{finding(found.nets)}.\n\n{as_table(found.nets)}\n\n{HOW}"
    if not found.times:
        return counted
    timed = _align([list(TIME_HEADINGS), *time_rows(found)])
    return f"{counted}\n\n{time_finding(found.nets, found.times)}.\n\n{timed}\n\n{how_timed(found)}"


def as_page(found: StoredWork) -> str:
    """Figures and tables in one HTML file that needs no other and no network."""
    from benchmarks.figures.depth_against_work import work_figure
    from benchmarks.figures.downloads import html_page, render_figure, render_table
    from benchmarks.figures.time_against_work import time_figure

    body = [
        render_figure(work_figure(found.nets)),
        f"<p>{escape(HOW)}</p>",
        "<h2>Every net</h2>",
        render_table(HEADINGS, [cells(net) for net in found.nets]),
    ]
    if found.times:
        body += [
            "<h2>Time</h2>",
            render_figure(time_figure(found)),
            f"<p>{escape(how_timed(found))}</p>",
            render_table(TIME_HEADINGS, time_rows(found)),
        ]
    return html_page("Depth against work", "\n".join(body))
