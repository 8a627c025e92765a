"""The five curves of one run, live or finished."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from plotly.graph_objects import Figure

from benchmarks.figures.canvas import (
    LOG,
    Label,
    add_line,
    empty_figure,
    label_line_ends,
    new_figure,
)
from benchmarks.figures.style import (
    RUN_HEIGHTS,
    TRAIN_DASH,
    VALIDATION_DASH,
    Colour,
    clock,
    family_colour,
    part_colour,
    percent,
)
from benchmarks.figures.windows import Window, points_by_step, train_windows
from resnet_core.runs.history import History, Point

EPOCHS = "epochs of training"
WHERE = "epoch %{x:.2f}, step %{customdata[0]:,}<br>%{customdata[1]:,} images, %{customdata[2]} of training"
OVER = "mean over the last %{customdata[3]:,} steps"
NO_NORMS = "This run recorded no gradient norms."


def run_figures(history: History, config: dict[str, Any]) -> dict[str, Figure]:
    """The curves by name: error, loss, learning_rate, speed and gradients.

    Args:
        history: what `read_history` gave.
        config: the run's `config.json`, for the colour of its family and depth.
    """
    colour = family_colour(config["model"]["family"], config["model"]["depth"])
    return {
        "error": error_figure(history, colour),
        "loss": loss_figure(history, colour),
        "learning_rate": learning_rate_figure(history, colour),
        "speed": speed_figure(history, colour),
        "gradients": gradient_figure(history),
    }


def error_figure(history: History, colour: Colour, height: int = RUN_HEIGHTS["error"]) -> Figure:
    """Error in percent: training dashed, validation solid; `height` is the page's, in pixels."""
    figure = _two_lines(
        history, colour, "error", "%{y:.2f} %",
        lambda w: w.train_error_percent, lambda p: p.validation_error_percent, height,
    )  # fmt: skip
    figure.update_yaxes(ticksuffix=" %")
    figure.layout.title.text = _error_title(history)
    return figure


def _error_title(history: History) -> str:
    if history.test_error_percent is not None and history.last:
        return f"Error: {percent(history.test_error_percent)} on the test split after {_epochs(history.last)}"
    newest, split = _newest(history, lambda p: p.validation_error_percent)
    if newest is None:
        return "Error"
    value = newest.validation_error_percent if split == "validation" else newest.train_error_percent
    return f"Error: {percent(value or 0.0)} on {split} after {_epochs(newest)}"


def loss_figure(history: History, colour: Colour) -> Figure:
    """Cross-entropy in nats: training dashed, validation solid."""
    figure = _two_lines(
        history, colour, "loss", "%{y:.4f}", lambda w: w.train_loss, lambda p: p.validation_loss,
        RUN_HEIGHTS["loss"],
    )  # fmt: skip
    newest, split = _newest(history, lambda p: p.validation_loss)
    if newest:
        value = newest.validation_loss if split == "validation" else newest.train_loss
        figure.layout.title.text = f"Loss: {value:.3f} on {split} after {_epochs(newest)}"
    return figure


def learning_rate_figure(history: History, colour: Colour) -> Figure:
    """The rate of the main optimiser."""
    points = points_by_step(history)
    if not points:
        return empty_figure("Learning rate")
    title = f"Learning rate: {points[-1].lr:.3g} after {_epochs(points[-1])}"
    figure = new_figure(title, EPOCHS, "learning rate")
    figure.update_yaxes(rangemode="tozero")
    hover = f"learning rate %{{y:.3g}}<br>{WHERE}"
    _add(figure, points, [p.lr for p in points], "learning rate", colour, "solid", hover)
    return figure


def speed_figure(history: History, colour: Colour) -> Figure:
    """Images a second, evaluation and checkpoints left out."""
    windows = train_windows(history)
    if not windows:
        return empty_figure("Speed")
    rates = [w.images_per_second for w in windows]
    figure = new_figure(f"Speed: {median(rates):,.0f} images/s at the median", EPOCHS, "images/s")
    figure.update_yaxes(rangemode="tozero", tickformat=",")
    hover = f"%{{y:,.0f}} images/s, {OVER}<br>{WHERE}"
    _add_windows(figure, windows, rates, "images/s", colour, "solid", hover)
    return figure


def gradient_figure(history: History) -> Figure:
    """The gradient's L2 norm by part of the net, on a logarithmic axis."""
    title = "Gradient norm by part of the net"
    points = [p for p in points_by_step(history) if p.gradient_norms]
    if not points:
        return empty_figure(title, NO_NORMS) if history.last else empty_figure(title)
    names = list(points[-1].gradient_norms)
    figure = new_figure(_gradient_title(points[-1]), EPOCHS, "gradient norm")
    figure.update_yaxes(LOG)
    labels = []
    for number, name in enumerate(names):
        colour = part_colour(number, len(names))
        # A norm of zero has no place on a logarithmic axis: a gap.
        norms = [_positive(p.gradient_norms.get(name)) for p in points]
        hover = f"{name} %{{y:.3g}}<br>{WHERE}"
        _add(figure, points, norms, name, colour, "solid", hover, width=1.4)
        ends = [norm for norm in norms if norm is not None]
        labels += [Label(name, ends[-1], colour)] if ends else []
    label_line_ends(figure, labels, log=True, height=RUN_HEIGHTS["gradients"])
    return figure


def _gradient_title(point: Point) -> str:
    norms = {name: norm for name, norm in point.gradient_norms.items() if _positive(norm)}
    if len(norms) < 2:
        return "Gradient norm by part of the net"
    small, large = min(norms, key=norms.__getitem__), max(norms, key=norms.__getitem__)
    return f"Gradients: {norms[large] / norms[small]:,.1f} times larger in {large} than {small}"


def _positive(norm: float | None) -> float | None:
    return norm if norm is not None and norm > 0 and math.isfinite(norm) else None


def _two_lines(
    history: History,
    colour: Colour,
    quantity: str,
    shown: str,
    train: Callable[[Window], float],
    validation: Callable[[Point], float | None],
    height: int,
) -> Figure:
    windows = train_windows(history)
    if not windows:
        return empty_figure(quantity.capitalize())
    figure = new_figure("", EPOCHS, quantity)
    figure.update_yaxes(rangemode="tozero")
    values = [train(w) for w in windows]
    hover = f"train {quantity} {shown}, {OVER}<br>{WHERE}"
    _add_windows(figure, windows, values, "train", colour, TRAIN_DASH, hover)
    labels = [Label("train", values[-1], colour, is_dashed=True)]
    measured = [(p, v) for p in history.epochs if (v := validation(p)) is not None]
    if measured:
        hover = f"validation {quantity} {shown}<br>{WHERE}"
        points, scores = [p for p, _ in measured], [v for _, v in measured]
        _add(figure, points, scores, "validation", colour, VALIDATION_DASH, hover, marks=True)
        labels.append(Label("validation", scores[-1], colour))
    label_line_ends(figure, labels, height=height)
    return figure


def _newest(
    history: History, validation: Callable[[Point], float | None]
) -> tuple[Point | None, str]:
    """The point a title speaks of and the split it speaks of."""
    measured = [p for p in history.epochs if validation(p) is not None]
    return (measured[-1], "validation") if measured else (history.last, "training images")


def _epochs(point: Point) -> str:
    if point.epoch == 1:
        return "1 epoch"
    if point.epoch.is_integer():
        return f"{point.epoch:.0f} epochs"
    return f"{point.epoch:.1f} epochs" if point.epoch >= 0.1 else f"{point.epoch:.1g} epochs"


def _add_windows(
    figure: Figure,
    windows: Sequence[Window],
    values: Sequence[float],
    name: str,
    colour: Colour,
    dash: str,
    hover: str,
) -> None:
    customdata = [[*_where(w.end), w.steps] for w in windows]
    add_line(figure, [w.end.epoch for w in windows], values, name, colour, dash, hover, customdata)


def _add(
    figure: Figure,
    points: Sequence[Point],
    values: Sequence[float | None],
    name: str,
    colour: Colour,
    dash: str,
    hover: str,
    marks: bool = False,
    width: float = 2,
) -> None:
    x, customdata = [p.epoch for p in points], [_where(p) for p in points]
    add_line(figure, x, values, name, colour, dash, hover, customdata, marks, width)


def _where(point: Point) -> list[int | str]:
    return [point.step, point.images, clock(point.train_seconds)]
