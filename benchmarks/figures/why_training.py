"""How the gradient is spread over a net while it trains: its first stage against its last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median

from plotly.graph_objects import Figure

from benchmarks.figures.canvas import (
    LOG,
    Label,
    add_line,
    empty_figure,
    label_line_ends,
    new_figure,
)
from benchmarks.figures.compared import ComparedRun, load_run
from benchmarks.figures.style import family_colour
from benchmarks.figures.windows import points_by_step
from resnet_core.runs.folder import RunFolder

TITLE = "The gradient while training, first stage against last"
NOTHING = "Choose runs that recorded their gradients."
FIRST, LAST = "stage1", "stage3"


def training_gradient_figure(folders: Sequence[RunFolder]) -> Figure:
    """One line a run: gradient norm of stage 1 over that of stage 3, by epoch, on a log axis."""
    drawn = [(run, ratios) for run in map(load_run, folders) if (ratios := gradient_ratios(run))]
    if not drawn:
        return empty_figure(TITLE, NOTHING)
    figure = new_figure(_finding(drawn), "epochs of training", "stage 1 over stage 3")
    figure.update_yaxes(LOG)
    labels = []
    for run, ratios in drawn:
        colour = family_colour(run.family, run.depth)
        hover = f"{run.title}, epoch %{{x:.2f}}<br>stage 1 gets %{{y:.3g}} times stage 3's gradient"
        x, y = [epoch for epoch, _ in ratios], [ratio for _, ratio in ratios]
        add_line(figure, x, y, run.name, colour, "solid", hover, [[]] * len(x), width=1.4)
        labels.append(Label(run.title, y[-1], colour))
    label_line_ends(figure, labels, log=True)
    return figure


def gradient_ratios(run: ComparedRun) -> list[tuple[float, float]]:
    """(epoch, ratio) wherever both norms are there and above zero."""
    found = []
    for point in points_by_step(run.history):
        first, last = point.gradient_norms.get(FIRST), point.gradient_norms.get(LAST)
        if first and last and math.isfinite(first) and math.isfinite(last):
            found.append((point.epoch, first / last))
    return found


def _finding(drawn: Sequence[tuple[ComparedRun, Sequence[tuple[float, float]]]]) -> str:
    """The median over the second half of training, net by net (of seeds, the first)."""
    said: dict[str, str] = {}
    for run, ratios in drawn:
        middle = median(ratio for _, ratio in ratios[len(ratios) // 2 :])
        said.setdefault(run.title, f"{middle:.2g} times in {run.title}")
    return f"While training, stage 1 gets the gradient of stage 3 {', '.join(said.values())}"
