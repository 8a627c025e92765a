"""Error against the number of nets that are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from plotly.graph_objects import Figure, Scatter

from benchmarks.figures.canvas import (
    Label,
    add_line,
    empty_figure,
    label_line_ends,
    new_figure,
    remember_dark,
    significant,
)
from benchmarks.figures.style import Colour, percent
from benchmarks.why.stored import Stored

MEAN = Colour("#0b3d91", "#8ec5ff")
PICKED = Colour("#00795a", "#4fd1a5")
BEST_ALONE = Colour("#64748b", "#a3b1c4")
TITLE = "Several nets averaged"


def ensemble_figure(stored: Stored) -> Figure:
    """Every subset as a point, their mean as a line, the best net alone as a level."""
    subsets = [row for row in stored.rows if row["event"] == "subset"]
    if not subsets:
        return empty_figure(TITLE, "The nets are answering.")
    figure = new_figure(_finding(subsets), "nets averaged", "test error")
    figure.update_yaxes(ticksuffix=" %", rangemode="tozero")
    sizes = sorted({len(row["members"]) for row in subsets})
    figure.update_xaxes(rangemode="normal", dtick=1, range=[0.7, sizes[-1] + 0.3])
    _add_points(figure, subsets)
    by_size = {
        size: [r["error_percent"] for r in subsets if len(r["members"]) == size] for size in sizes
    }
    means = [fmean(by_size[size]) for size in sizes]
    hover = "mean of %{customdata[0]} choices of %{x} nets: error %{y:.2f} %"
    counts = [[len(by_size[size])] for size in sizes]
    add_line(figure, sizes, means, "mean", MEAN, "solid", hover, counts, marks=True)
    labels = [Label("mean", means[-1], MEAN)]
    labels += _add_picks(figure, stored)
    best = best_alone(subsets)["error_percent"]
    ends = [0.7, sizes[-1] + 0.3]
    alone = f"best alone: {best_alone(subsets)['members'][0]}, error %{{y:.2f}} %"
    add_line(figure, ends, [best, best], "best alone", BEST_ALONE, "6px,4px", alone, [[], []])
    labels.append(Label("best alone", best, BEST_ALONE, is_dashed=True))
    label_line_ends(figure, labels)
    return figure


def best_alone(subsets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The single net with the lowest error, known only after the fact: the hardest rival."""
    singles = [row for row in subsets if len(row["members"]) == 1]
    return min(singles, key=lambda row: float(row["error_percent"]))


def _finding(subsets: Sequence[dict[str, Any]]) -> str:
    everyone = max(subsets, key=lambda row: len(row["members"]))
    alone = best_alone(subsets)
    if len(everyone["members"]) == 1:
        return TITLE
    gain = alone["error_percent"] - everyone["error_percent"]
    verdict = "beat" if gain > 0 else "do not beat"
    text = (
        f"{len(everyone['members'])} nets together ({percent(everyone['error_percent'])}) {verdict} "
        f"the best of them alone ({alone['members'][0]}, {percent(alone['error_percent'])})"
    )
    best = min(subsets, key=lambda row: float(row["error_percent"]))
    if gain <= 0 and len(best["members"]) > 1:
        text += f"; {' + '.join(best['members'])} does ({percent(best['error_percent'])})"
    return text


def _add_points(figure: Figure, subsets: Sequence[dict[str, Any]]) -> None:
    remember_dark(figure, BEST_ALONE)
    figure.add_trace(
        Scatter(
            x=[len(row["members"]) for row in subsets],
            y=[significant(row["error_percent"]) for row in subsets],
            mode="markers",
            name="one choice",
            marker={"color": BEST_ALONE.light, "size": 7, "opacity": 0.6},
            customdata=[["<br>".join(row["members"])] for row in subsets],
            hovertemplate="%{customdata[0]}<br>error %{y:.2f} %<extra></extra>",
        )
    )


def _add_picks(figure: Figure, stored: Stored) -> list[Label]:
    picks = [row for row in stored.rows if row["event"] == "pick"]
    if not picks:
        return []
    errors = [row["error_percent"] for row in picks]
    hover = "%{customdata[0]}<br>validation error %{customdata[1]:.2f} %, test error %{y:.2f} %"
    customdata = [["<br>".join(r["members"]), r["validation_error_percent"]] for r in picks]
    add_line(
        figure, [len(row["members"]) for row in picks], errors, "picked", PICKED, "solid", hover,
        customdata, marks=True,
    )  # fmt: skip
    return [Label("picked by validation", errors[-1], PICKED)]
