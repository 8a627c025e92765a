"""Gradient norm against the place of a layer, with batch norm and without."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from typing import Any

from plotly.graph_objects import Figure

from benchmarks.figures.canvas import Label, add_line, empty_figure, label_line_ends, new_figure
from benchmarks.figures.style import family_colour
from benchmarks.why.stored import Stored

NOTHING = "The first net is being measured."
PLACE = "place in the net, from input to output"
LEVEL = 100.0  # a ratio below this from one end to the other is called level


def gradient_flow_figures(stored: Stored) -> dict[bool, Figure]:
    """One figure with batch norm (True) and one without, on axes of their own.

    Each line is the geometric mean over the random starts that are there.
    """
    return {batch_norm: _flow_figure(stored, batch_norm) for batch_norm in (True, False)}


def _flow_figure(stored: Stored, batch_norm: bool) -> Figure:
    rows = [row for row in stored.rows if row["batch_norm"] is batch_norm]
    how = "With batch norm" if batch_norm else "Without batch norm"
    if not rows:
        return empty_figure(how, NOTHING)
    figure = new_figure(f"{how} {_finding(stored, rows)}", PLACE, "gradient norm of a layer")
    figure.update_xaxes(
        tickvals=[0, 0.5, 1], ticktext=["input", "half-way", "output"], range=[0, 1]
    )
    figure.update_yaxes(type="log", exponentformat="power")
    labels = []
    for model in stored.models:
        starts = [row["norms"] for row in rows if row["model"] == model["name"]]
        if not starts:
            continue
        norms = [geometric_mean(layer) for layer in zip(*starts, strict=True)]
        colour = family_colour(model["family"], model["depth"])
        places = [at / (len(norms) - 1) for at in range(len(norms))]
        hover = (
            f"{model['name']}, layer %{{customdata[0]}} of {len(norms)}<br>gradient norm %{{y:.3g}}, "
            f"mean of %{{customdata[1]}} random starts"
        )
        customdata = [[at, len(starts)] for at in range(1, len(norms) + 1)]
        add_line(figure, places, norms, model["name"], colour, "solid", hover, customdata)
        ends = [norm for norm in norms if norm is not None]
        labels += [Label(model["name"], ends[-1], colour)] if ends else []
    label_line_ends(figure, labels, log=True)
    return figure


def geometric_mean(norms: Sequence[float | None]) -> float | None:
    """None where a start left the finite numbers, or a norm is zero: neither fits a log axis."""
    if not all(norms):
        return None
    return exp(sum(log(norm) for norm in norms if norm) / len(norms))


def _finding(stored: Stored, rows: Sequence[dict[str, Any]]) -> str:
    """What becomes of the gradient between the last convolution and the first layer."""
    measured = {row["model"] for row in rows}
    said, vanishes = [], []
    for family in ("plain", "resnet_v1"):
        nets = [m for m in stored.models if m["family"] == family and m["name"] in measured]
        if not nets:
            continue
        deepest = max(nets, key=lambda model: model["depth"])["name"]
        starts = [row["norms"] for row in rows if row["model"] == deepest]
        first = geometric_mean([norms[0] for norms in starts])
        last = geometric_mean([norms[-2] for norms in starts])
        ratio = first / last if first and last else None
        said.append(f"{_change(ratio)} in {deepest}")
        vanishes.append(ratio is not None and ratio < 1 / LEVEL)
    verdict = "vanishes" if any(vanishes) else "does not vanish"
    if not said:
        return "the gradient, layer by layer"
    return f"the gradient {verdict}: towards the input it {', '.join(said)}"


def _change(ratio: float | None) -> str:
    if ratio is None:
        return "leaves the range of numbers"
    if ratio > LEVEL:
        return f"grows {times(ratio)} times"
    if ratio < 1 / LEVEL:
        return f"shrinks {times(1 / ratio)} times"
    return f"changes little ({times(max(ratio, 1 / ratio))} times {'larger' if ratio > 1 else 'smaller'})"


def times(ratio: float) -> str:
    """2.5, 340, 12,300, 1.43 million."""
    ratio = float(f"{ratio:.3g}")
    for size, word in ((1e9, " billion"), (1e6, " million")):
        if ratio >= size:
            return f"{ratio / size:,.3g}{word}"
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"
