"""Any runs in one figure, each for itself or seeds as mean and band."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from plotly.graph_objects import Figure, Scatter

from benchmarks.figures.canvas import (
    Label,
    add_line,
    empty_figure,
    label_line_ends,
    new_figure,
    significant,
)
from benchmarks.figures.compared import ComparedRun, Group, group_runs, load_run
from benchmarks.figures.style import (
    TRAIN_DASH,
    VALIDATION_DASH,
    Colour,
    family_colour,
    percent,
)
from benchmarks.figures.windows import Window, train_windows
from resnet_core.errors import ConfigError
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.history import Point

X_AXES: dict[str, tuple[str, Callable[[Point], float]]] = {
    "epoch": ("epochs of training", lambda p: p.epoch),
    "images": ("images seen", lambda p: p.images),
    "seconds": ("training time", lambda p: p.train_seconds),
}
Y_AXES = ("error", "loss")
SHOWN = ("both", "train", "validation")
GROUPINGS = ("run", "seeds")
SPLIT_WORDS = {"train": "Training", "validation": "Validation"}
MOST_DIRECT_LABELS = 8
MOST_GRID_POINTS = 400
BAND_OPACITY = 0.18
MARKS = (
    ("", ""),
    ("circle", "●"),
    ("square", "■"),
    ("diamond", "◆"),
    ("triangle-up", "▲"),
    ("cross", "✚"),
)
"""What tells nets of one colour apart, and how it is written; the first has none."""
MARKS_ON_A_LINE = 10


@dataclass(frozen=True)
class Curve:
    """One line of the figure; `low` and `high` hold the band of several runs, else equal `y`."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Line:
    """A curve and what it is of."""

    group: Group
    split: str
    curve: Curve
    symbol: str
    """Plotly's, on some of its points."""
    mark: str
    """The same in running text."""

    @property
    def colour(self) -> Colour:
        return family_colour(self.group.runs[0].family, self.group.runs[0].depth)


def compare_figure(
    folders: Sequence[RunFolder],
    x: str = "epoch",
    y: str = "error",
    show: str = "both",
    group_by: str = "run",
) -> Figure:
    """Runs over one another: training dashed, validation solid, a colour a family.

    Args:
        x: epoch, images or seconds (of training).
        y: error (in percent) or loss.
        show: train, validation or both.
        group_by: run, or seeds: runs that differ by their seed alone become their mean and a
            band from the lowest to the highest, drawn only as far as all of them have come.

    Raises:
        ConfigError: an option has another value.
        RunError: a folder holds no run.
    """
    _check(x, y, show, group_by)
    groups = group_runs([load_run(folder) for folder in folders], group_by == "seeds")
    splits = ("train", "validation") if show == "both" else (show,)
    marked = list(zip(groups, _marks(groups), strict=True))
    curves = [(g, s, group_curve(g.runs, s, x, y), marks) for s in splits for g, marks in marked]
    lines = [Line(g, s, curve, *marks) for g, s, curve, marks in curves if curve is not None]
    if not lines:
        return empty_figure(f"{y.capitalize()} of {len(groups)} runs")
    unit_seconds, x_title = _x_unit(x, max(float(line.curve.x[-1]) for line in lines))
    figure = new_figure(_title(lines, y), x_title, y)
    figure.update_xaxes(exponentformat="none" if x == "epoch" else "SI")
    figure.update_yaxes(rangemode="tozero", ticksuffix=" %" if y == "error" else "")
    for line in lines:
        if len(line.group.runs) > 1:
            _add_band(figure, line, unit_seconds)
    for line in lines:
        _add_curve(figure, line, y, unit_seconds, x_title)
    _name_lines(figure, lines)
    return figure


def _marks(groups: Sequence[Group]) -> list[tuple[str, str]]:
    """For each group the next mark among those of its colour."""
    places: Counter[tuple[str, int]] = Counter()
    marks = []
    for group in groups:
        net = (group.runs[0].family, group.runs[0].depth)
        marks.append(MARKS[places[net] % len(MARKS)])
        places[net] += 1
    return marks


def _check(x: str, y: str, show: str, group_by: str) -> None:
    problems = [
        f"{name} can't be {given}: choose one of {', '.join(known)}."
        for name, given, known in (
            ("x", x, tuple(X_AXES)),
            ("y", y, Y_AXES),
            ("show", show, SHOWN),
            ("group_by", group_by, GROUPINGS),
        )
        if given not in known
    ]
    if problems:
        raise ConfigError(problems)


def run_curve(run: ComparedRun, split: str, x: str, y: str) -> tuple[np.ndarray, np.ndarray] | None:
    """One run's points: its epochs; while it has fewer than two, what training shows within them."""
    where = X_AXES[x][1]
    measured: list[tuple[Point, float | None]]
    if split == "validation":
        measured = [
            (p, p.validation_error_percent if y == "error" else p.validation_loss)
            for p in run.history.epochs
        ]
    else:
        ends: Sequence[Point | Window] = run.history.epochs
        if len(run.history.epochs) < 2:
            ends = train_windows(run.history)
        measured = [
            (
                end.end if isinstance(end, Window) else end,
                end.train_error_percent if y == "error" else end.train_loss,
            )
            for end in ends
        ]
    points = [(where(p), value) for p, value in measured if value is not None]
    return (np.array([a for a, _ in points]), np.array([b for _, b in points])) if points else None


def group_curve(runs: Sequence[ComparedRun], split: str, x: str, y: str) -> Curve | None:
    """Mean, lowest and highest over the runs, where all of them have figures; None where none do."""
    curves = [curve for run in runs if (curve := run_curve(run, split, x, y)) is not None]
    if len(curves) < len(runs) or not curves:
        return None
    if len(curves) == 1:
        return Curve(curves[0][0], curves[0][1], curves[0][1], curves[0][1])
    start, end = max(c[0][0] for c in curves), min(c[0][-1] for c in curves)
    grid = np.unique(np.concatenate([c[0] for c in curves]))
    grid = grid[(grid >= start) & (grid <= end)]
    if grid.size == 0:
        return None
    if grid.size > MOST_GRID_POINTS:
        grid = np.linspace(start, end, MOST_GRID_POINTS)
    values = np.stack([np.interp(grid, *curve) for curve in curves])  # (runs, points)
    return Curve(grid, values.mean(0), values.min(0), values.max(0))


def _x_unit(x: str, longest: float) -> tuple[float, str]:
    """What x is divided by, and the axis's words."""
    title = X_AXES[x][0]
    if x != "seconds":
        return 1.0, title
    for seconds, unit, least in ((3600.0, "hours", 7200), (60.0, "minutes", 300)):
        if longest >= least:
            return seconds, f"{title}, {unit}"
    return 1.0, f"{title}, seconds"


def _title(lines: Sequence[Line], y: str) -> str:
    split = "validation" if any(line.split == "validation" for line in lines) else "train"
    rivals = [line for line in lines if line.split == split]
    best = min(rivals, key=lambda line: float(line.curve.y[-1]))
    end = float(best.curve.y[-1])
    value = percent(end) if y == "error" else f"{end:.3f}"
    verb = "ends lowest, at" if len(rivals) > 1 else "is at"
    mean_of = " (mean)" if len(best.group.runs) > 1 else ""
    return f"{SPLIT_WORDS[split]} {y}: {escape(best.group.label)} {verb} {value}{mean_of}"


def _add_band(figure: Figure, line: Line, unit: float) -> None:
    curve = line.curve
    figure.add_trace(
        Scatter(
            x=np.concatenate([curve.x, curve.x[::-1]]) / unit,
            y=np.concatenate([curve.high, curve.low[::-1]]),
            fill="toself",
            fillcolor=line.colour.light,
            opacity=BAND_OPACITY,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            showlegend=False,
            name=f"{escape(line.group.label)}, {line.split}: lowest to highest",
        )
    )


def _add_curve(figure: Figure, line: Line, y: str, unit: float, x_title: str) -> None:
    curve = line.curve
    suffix = " %" if y == "error" else ""
    digits = ".2f" if y == "error" else ".3f"
    shown = f"{line.split} {y} %{{y:{digits}}}{suffix}"
    if len(line.group.runs) > 1:
        shown += f", mean of {line.group.count}<br>lowest %{{customdata[1]:{digits}}}{suffix}, highest %{{customdata[2]:{digits}}}{suffix}"
    label = escape(line.group.label)
    name = escape(", ".join(run.name for run in line.group.runs))
    add_line(
        figure,
        (curve.x / unit).tolist(),
        curve.y.tolist(),
        f"{label}, {line.split}",
        line.colour,
        TRAIN_DASH if line.split == "train" else VALIDATION_DASH,
        f"<b>{_for_template(label)}</b><br>{shown}<br>%{{x:,.5~g}} {x_title}",
        [
            [name, significant(a), significant(b)]
            for a, b in zip(curve.low, curve.high, strict=True)
        ],
        marks=bool(line.symbol),
    )
    if line.symbol:
        figure.data[-1].marker.update(symbol=line.symbol, size=8, maxdisplayed=MARKS_ON_A_LINE)


def _for_template(text: str) -> str:
    """Text that a hover template must not take for a place to fill."""
    return text.replace("%{", "%&#123;")


def _name_lines(figure: Figure, lines: Sequence[Line]) -> None:
    """Each group's name beside its most telling line; past a handful, a legend below."""
    telling = {line.group.label: line for line in lines}  # validation comes last and wins
    if len(telling) > MOST_DIRECT_LABELS:
        _add_legend(figure, [line.split for line in telling.values()])
        return
    label_line_ends(
        figure,
        [
            Label(
                escape(line.group.label),
                float(line.curve.y[-1]),
                line.colour,
                is_dashed=line.split == "train",
                mark=line.mark,
            )
            for line in telling.values()
        ],
    )


def _add_legend(figure: Figure, splits: Sequence[str]) -> None:
    """One entry a group: that of its most telling line."""
    for trace in figure.data:
        label, _, split = trace.name.rpartition(", ")
        trace.showlegend = split in splits
        trace.legendgroup = label
        if trace.showlegend:
            trace.name = label
    figure.update_layout(showlegend=True)
