"""A study's main plot: depth, parameters, work or time against error, a line a family."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plotly.graph_objects import Figure, Scatter

from benchmarks.depth.papers import PAPER_EPOCHS, PAPER_FIGURES, PAPER_MARGIN_POINTS, PaperFigure
from benchmarks.depth.results import Cell, of_family
from benchmarks.depth.spreads import compare_nets
from benchmarks.depth.statistics import Difference
from benchmarks.figures.canvas import (
    Label,
    add_line,
    break_lines,
    empty_figure,
    label_line_ends,
    new_figure,
    remember_dark,
    significant,
)
from benchmarks.figures.style import (
    TRAIN_DASH,
    VALIDATION_DASH,
    Colour,
    clock,
    family_colour,
    percent,
)
from resnet_core.errors import ConfigError
from resnet_core.models.config import FAMILIES

SHOWN = ("both", "train", "test")
NOTHING_FINISHED = "The first point appears when the first net of the study is trained."
PAPER_NOTE_PX = 46  # two lines: one would run into a phone's buttons
PAPER_COLOUR = Colour("#64748b", "#a8b3c4")
COLOUR_DEPTH = 20  # one colour a family: depth is what the axis says


@dataclass(frozen=True)
class Axis:
    """What a study can be drawn over."""

    title: str
    value: Callable[[Cell], float]
    hover: Callable[[Cell], str]


X_AXES: dict[str, Axis] = {
    "depth": Axis("depth, layers", lambda c: c.depth, lambda c: f"{c.depth} layers"),
    "params": Axis("parameters, millions", lambda c: c.params / 1e6, lambda c: f"{c.params:,}"),
    "multiply_adds": Axis(
        "multiply-adds an image, millions",
        lambda c: c.multiply_adds / 1e6,
        lambda c: f"{c.multiply_adds / 1e6:.1f} million",
    ),
    "seconds": Axis(
        # What a run took depends on its machine, and on what else that did meanwhile.
        "training time, minutes<br>as each run took, alone or beside others",
        lambda c: c.train_seconds / 60,
        lambda c: clock(c.train_seconds),
    ),
}


def depth_figure(
    cells: Sequence[Cell], x: str = "depth", show: str = "both", papers: bool = False
) -> Figure:
    """Error in percent, training dashed and test solid; points are seeds, lines their means.

    Bars are 95 % intervals of means, where a net has several seeds. A point's `customdata` holds
    its family and depth first.

    Args:
        x: depth, params, multiply_adds or seconds.
        show: train, test or both.
        papers: with the papers' figures as open grey marks.

    Raises:
        ConfigError: an option has another value.
    """
    if x not in X_AXES or show not in SHOWN:
        raise ConfigError(f"x is one of {', '.join(X_AXES)}; show is one of {', '.join(SHOWN)}.")
    if not cells:
        return empty_figure("Depth against error", NOTHING_FINISHED)
    axis = X_AXES[x]
    figure = new_figure(title(cells), axis.title, "error")
    figure.update_yaxes(ticksuffix=" %", rangemode="tozero")
    figure.update_xaxes(rangemode="normal")
    if x == "depth":
        _name_depths(figure, cells)
    labels = []
    for split in ("train", "test") if show == "both" else (show,):
        for family in FAMILIES:
            nets = of_family(cells, family)
            if nets:
                labels.append(_add_family(figure, nets, split, axis))
    if papers and x == "depth":
        _add_papers(figure, cells)
    label_line_ends(figure, labels)
    return figure


def title(cells: Sequence[Cell]) -> str:
    """What depth does to each family's test error, in words that the figures bear."""
    # The two that the story is about, where there are more than a caption can hold.
    families = [f for f in FAMILIES if len(of_family(cells, f)) > 1][:2]
    found = [_finding(cells, family) for family in families]
    return "; ".join(found) if found else "Test error of the nets trained so far"


def _finding(cells: Sequence[Cell], family: str) -> str:
    nets = of_family(cells, family)
    shallow, deep = nets[0], nets[-1]
    found = compare_nets(cells, "test", deep, shallow)
    verb = "goes" if found is None else _verb(found)
    return (
        f"{FAMILIES[deep.family].title} {verb} from {shallow.depth} to {deep.depth} layers: "
        f"{percent(shallow.mean('test'))} → {percent(deep.mean('test'))} test error"
    )


def _verb(found: Difference) -> str:
    """What the deeper net's error less the shallower one's bears: a large one may not be shown yet."""
    way = "worse" if found.value > 0 else "better"
    if found.is_above or found.is_below:
        return f"gets {way}"
    return "stays about level" if abs(found.value) <= PAPER_MARGIN_POINTS else f"seems to get {way}"


def _name_depths(figure: Figure, cells: Sequence[Cell]) -> None:
    """A logarithmic axis whose ticks are the depths there are."""
    depths = sorted({cell.depth for cell in cells})
    figure.update_xaxes(
        type="log", tickmode="array", tickvals=depths, ticktext=[str(d) for d in depths]
    )


def _add_family(figure: Figure, nets: Sequence[Cell], split: str, axis: Axis) -> Label:
    family = nets[0].family
    colour = family_colour(family, COLOUR_DEPTH)
    kind = FAMILIES[family].title
    ordered = sorted(nets, key=axis.value)
    is_train = split == "train"
    means = [cell.mean(split) for cell in ordered]
    where = [axis.value(cell) for cell in ordered]
    add_line(
        figure, where, means, f"{kind}, {split}", colour, TRAIN_DASH if is_train else VALIDATION_DASH,
        f"<b>%{{customdata[2]}}</b><br>{split} error %{{y:.2f}} %%{{customdata[3]}}<br>%{{customdata[4]}}",
        [_custom(cell, split, axis) for cell in ordered],
        marks=True,
    )  # fmt: skip
    line = figure.data[-1]
    line.marker.size = 8
    line.marker.symbol = "circle-open" if is_train else "circle"
    halves = [cell.half_width(split) for cell in ordered]
    if any(halves):
        line.error_y = {"array": [h or 0.0 for h in halves], "thickness": 1.2, "width": 4}
    _add_seeds(figure, ordered, split, axis, colour)
    return Label(f"{kind}, {split}", means[-1], colour, is_dashed=is_train)


def _custom(cell: Cell, split: str, axis: Axis) -> list[Any]:
    half = cell.half_width(split)
    spread = f" ± {half:.2f} (mean of {len(cell.runs)} seeds)" if half is not None else ", one seed"
    return [cell.family, cell.depth, cell.title, spread, axis.hover(cell)]


def _add_seeds(
    figure: Figure, nets: Sequence[Cell], split: str, axis: Axis, colour: Colour
) -> None:
    """Each seed of a net that has several as a small point."""
    points = [(cell, run) for cell in nets if len(cell.runs) > 1 for run in cell.runs]
    if not points:
        return
    figure.add_trace(
        Scatter(
            x=[significant(axis.value(cell)) for cell, _ in points],
            y=[run.error(split) for _, run in points],
            mode="markers",
            marker={"color": colour.light, "size": 4, "opacity": 0.6},
            customdata=[[cell.family, cell.depth, run.run.seed] for cell, run in points],
            hovertemplate=f"seed %{{customdata[2]}}: {split} error %{{y:.2f}} %<extra></extra>",
            name=f"{FAMILIES[nets[0].family].title}, {split}, seeds",
            showlegend=False,
        )
    )


def _add_papers(figure: Figure, cells: Sequence[Cell]) -> None:
    """Published test errors of the nets in the study, as open grey marks."""
    depths = {(cell.family, cell.depth) for cell in cells}
    known = [f for f in PAPER_FIGURES if (f.family, f.depth) in depths]
    if not known:
        return
    remember_dark(figure, PAPER_COLOUR)
    figure.add_trace(
        Scatter(
            x=[f.depth for f in known],
            y=[f.test_error_percent for f in known],
            mode="markers",
            marker={"symbol": "diamond-open", "size": 10, "color": PAPER_COLOUR.light, "line": {"width": 1.6}},
            customdata=[[f.family, f.depth, _source(f)] for f in known],
            hovertemplate="paper: %{y:.2f} % test error<br>%{customdata[2]}<extra></extra>",
            name="papers",
        )
    )  # fmt: skip
    figure.add_annotation(
        text=f"◇ the papers' test errors,<br>after {PAPER_EPOCHS} epochs", xref="paper", yref="paper",
        x=0, y=1, xanchor="left", yanchor="bottom", align="left",
    )  # fmt: skip
    figure.update_layout(margin_t=PAPER_NOTE_PX)


def _source(figure: PaperFigure) -> str:
    said = f"{FAMILIES[figure.family].title} {figure.depth}, {figure.source}"
    return break_lines(f"{said}; {figure.note}" if figure.note else said, 48)
