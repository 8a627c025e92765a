"""Standard deviation of each layer's response, after arXiv 1512.03385 Fig. 7."""

from __future__ import annotations

from plotly.graph_objects import Figure

from benchmarks.figures.canvas import Label, add_line, empty_figure, label_line_ends, new_figure
from benchmarks.figures.style import family_colour
from benchmarks.figures.why_gradients import PLACE
from benchmarks.why.stored import Stored

TITLE = "How strongly each layer responds"


def response_figure(stored: Stored) -> Figure:
    """One line a net over the places of its 3x3 layers."""
    if not stored.rows:
        return empty_figure(TITLE, "The first net is being measured.")
    figure = new_figure(_finding(stored), PLACE, "standard deviation of the response")
    figure.update_xaxes(
        tickvals=[0, 0.5, 1], ticktext=["input", "half-way", "output"], range=[0, 1]
    )
    figure.update_yaxes(rangemode="tozero")
    labels = []
    for row in stored.rows:
        stds, colour = row["stds"], family_colour(row["family"], row["depth"])
        places = [at / max(1, len(stds) - 1) for at in range(len(stds))]
        hover = f"{row['model']}, %{{customdata[0]}}<br>standard deviation %{{y:.3f}}"
        customdata = [[name] for name in row["layers"]]
        add_line(figure, places, stds, row["model"], colour, "solid", hover, customdata, width=1.6)
        labels.append(Label(row["model"], stds[-1], colour))
    label_line_ends(figure, labels)
    return figure


def _finding(stored: Stored) -> str:
    """The means of the deepest net of each kind, compared in words."""
    means = {}
    for row in sorted(stored.rows, key=lambda row: row["depth"]):
        means[row["family"]] = (row["model"], sum(row["stds"]) / len(row["stds"]))
    if not {"plain", "resnet_v1"} <= means.keys():
        return TITLE
    (plain, loud), (residual, soft) = means["plain"], means["resnet_v1"]
    word = "less" if soft < loud else "more"
    return f"Layers of {residual} respond {word} strongly than those of {plain}: {soft:.2f} against {loud:.2f} on average"
