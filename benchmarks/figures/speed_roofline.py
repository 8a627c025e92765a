"""How near results come to what the machine can do: the roofline, and a mark for each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from textwrap import wrap
from typing import Any

from plotly.graph_objects import Figure, Scatter

from benchmarks.figures.canvas import (
    LOG,
    Label,
    add_line,
    break_lines,
    empty_figure,
    label_line_ends,
    new_figure,
    remember_dark,
    significant,
)
from benchmarks.figures.speed_style import look_of, mark_of, marks_in_words, short_name
from benchmarks.figures.style import Colour, percent

QUESTION = "How near do results come to what this machine can do?"
NOTHING = "Nothing is known of this device with so many threads: measure it."
ROOF = Colour("#64748b", "#a8b3c4")
FILLINGS = {"fp32": "filled", "bf16": "open", "fp16": "dotted", "int8": "open and dotted"}
KEY_LETTERS, KEY_PX = 34, 16
POINTS = 33  # of a roof: each answers a pointer
Row = dict[str, Any]


def roofline_figure(stored: Row, device: str | None = None, threads: int | str = "all") -> Figure:
    """FLOP a byte against GFLOP/s, both logarithmic; a roof a precision, a mark a result.

    Args:
        stored: what `benchmarks roofline --json` writes.
        device: cpu or cuda; None for where most results ran.
        threads: as the rows say it; a GPU's results are shown for all.
    """
    device = device or _usual_device(stored["rows"])
    bandwidth = next(
        (r for r in stored["machine"]["bandwidths"] if _is_of(r, device, threads)), None
    )
    peaks = [r for r in stored["machine"]["peaks"] if _is_of(r, device, threads) and r["value"]]
    if bandwidth is None or not peaks:
        return empty_figure(QUESTION, NOTHING)
    rows = [r for r in stored["rows"] if _is_of(r, device, threads) and r.get("flops_per_byte")]
    figure = new_figure(roofline_title(rows), "FLOP for each byte that memory moves", "GFLOP/s")
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(LOG, rangemode="normal", exponentformat="none", separatethousands=True)
    low, high = _span(rows, peaks, bandwidth["value"])
    _add_memory(figure, low, max(r["value"] for r in peaks), bandwidth)
    labels = [_add_peak(figure, high, peak, bandwidth["value"]) for peak in peaks]
    _add_results(figure, rows)
    label_line_ends(figure, labels, log=True)
    _add_key(figure, rows, bandwidth)
    return figure


def _usual_device(rows: Sequence[Row]) -> str:
    on_gpu = sum(row["device"] == "cuda" for row in rows)
    return "cuda" if 2 * on_gpu > len(rows) else "cpu"


def _is_of(row: Row, device: str, threads: int | str) -> bool:
    return row["device"] == device and (device == "cuda" or str(row["threads"]) == str(threads))


def roofline_title(rows: Sequence[Row]) -> str:
    """Who comes nearest, and what it is that holds it."""
    judged = [row for row in rows if row["percent_of_bound"] is not None]
    if not judged:
        return QUESTION
    best = max(judged, key=lambda row: row["percent_of_bound"])
    if best["doubt"]:
        return f"{short_name(best)} did more than was measured to be possible: measure again"
    limit = "can compute" if best["bound_by"] == "arithmetic" else "can fetch from memory"
    return (
        f"{short_name(best)} comes nearest: {escape(best['model'])}, batch {best['batch_size']}, "
        f"at {percent(best['percent_of_bound'])} of what the machine {limit}"
    )


def _span(rows: Sequence[Row], peaks: Sequence[Row], bandwidth: float) -> tuple[float, float]:
    """Intensities to draw: ridges and results, with room on both sides."""
    ridges = [peak["value"] / bandwidth for peak in peaks]
    wanted = ridges + [row["flops_per_byte"] for row in rows]
    return min(wanted) / 4, max(wanted) * 4


def _spaced(low: float, high: float) -> list[float]:
    step = math.log(high / low) / (POINTS - 1)
    return [low * math.exp(step * number) for number in range(POINTS)]


def _add_memory(figure: Figure, low: float, highest_peak: float, bandwidth: Row) -> None:
    rate = bandwidth["value"]
    x = _spaced(low, highest_peak / rate)
    hover = f"memory: {rate:,.1f} GB/s<br>%{{x:.3g}} FLOP a byte: %{{y:,.3g}} GFLOP/s"
    add_line(figure, x, [rate * v for v in x], "memory", ROOF, "solid", hover, [[]] * POINTS, width=1.6)  # fmt: skip
    # On a phone only the peaks are listed: the key says the rest.
    figure.data[-1].showlegend = False


def _add_peak(figure: Figure, high: float, peak: Row, bandwidth: float) -> Label:
    value, name = peak["value"], f"{peak['precision']} {_rate(peak['value'])}"
    x = _spaced(value / bandwidth, high)
    of = peak.get("of") or f"matrices of {peak['size']:,} × {peak['size']:,}"
    hover = (
        f"{peak['precision']}: {value:,.1f} GFLOP/s ({peak['lowest']:,.1f} to "
        f"{peak['highest']:,.1f})<br>{of}"
    )
    add_line(figure, x, [value] * POINTS, name, ROOF, "solid", hover, [[]] * POINTS, width=1.6)
    return Label(name, value, ROOF)


def _rate(gflops: float) -> str:
    """Short enough to stand beside a plot: a GPU's are in TFLOP/s."""
    value, unit = (gflops / 1000, "TFLOP/s") if gflops >= 10_000 else (gflops, "GFLOP/s")
    return f"{float(f'{value:.3g}'):,g} {unit}"


def _add_results(figure: Figure, rows: Sequence[Row]) -> None:
    for row in rows:
        colour = look_of(row["engine"]).colour
        remember_dark(figure, colour)
        figure.add_trace(
            Scatter(
                x=[significant(row["flops_per_byte"])],
                y=[significant(row["attained_gflops"])],
                mode="markers",
                name=f"{short_name(row)}, batch {row['batch_size']}",
                showlegend=False,
                marker={
                    "color": colour.light,
                    "symbol": mark_of(row["engine"], row["precision"]),
                    "size": 10,
                    "line": {"width": 1.6, "color": colour.light},
                },
                hovertemplate=f"{_told(row)}<extra></extra>",
            )
        )


def _told(row: Row) -> str:
    said = [
        f"<b>{short_name(row)}</b>, {escape(row['model'])}, batch {row['batch_size']}",
        f"{row['images_per_second']:,.0f} images/s{' without copies' * bool(row.get('without_copies'))}: {row['attained_gflops']:,.1f} GFLOP/s",
        f"{row['flops_per_byte']:,.1f} FLOP a byte, {row['ideal_flops_per_byte']:,.0f} at best",
    ]
    if row["percent_of_bound"] is None:
        return "<br>".join([*said, break_lines(f"no roof: {row['reason']}", 48)])
    said += [
        f"{percent(row['percent_of_bound'])} of {_rate(row['bound_gflops'])}, set by {row['bound_by']}",
        f"{percent(row['percent_of_ideal_bound'])} of {_rate(row['ideal_bound_gflops'])} were all kept in caches",
    ]  # fmt: skip
    return "<br>".join([*said, *([break_lines(row["doubt"], 48)] if row["doubt"] else [])])


def _add_key(figure: Figure, rows: Sequence[Row], bandwidth: Row) -> None:
    """What the slope and the marks stand for, above the plot, in lines that fit a phone."""
    words = [f"memory {significant(bandwidth['value'], 3):,g} GB/s"]
    if rows:
        shown = [p for p in FILLINGS if p in {row["precision"] for row in rows}]
        words += [_unbroken(marks_in_words(rows)), ", ".join(f"{p} {FILLINGS[p]}" for p in shown)]
    lines = [line for part in words for line in wrap(part, KEY_LETTERS)]
    text = "<br>".join(lines)
    figure.add_annotation(
        text=text, xref="paper", yref="paper", x=0, y=1, xanchor="left", yanchor="bottom",
        align="left",
    )  # fmt: skip
    figure.update_layout(margin_t=KEY_PX * len(lines) + 14)


def _unbroken(names: str) -> str:
    """With lines that end only between names: a mark stays beside its own."""
    return names.replace(" ", "\u00a0").replace(",\u00a0", ", ")
