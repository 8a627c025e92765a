"""A roofline as lines to read in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.roofline.counting import ELEMENT_BYTES

Row = dict[str, Any]


def describe(stored: Row, with_layers: bool = False) -> Iterator[str]:
    """The machine, each net, and how far each result got.

    Args:
        stored: what the command writes as JSON.
        with_layers: with a line for each layer.
    """
    yield "This machine, measured:"
    for rate in stored["machine"]["peaks"]:
        yield f"  {_where(rate):16} {rate['precision']:5} {_measured(rate, 'GFLOP/s')}"
    for rate in stored["machine"]["bandwidths"]:
        yield f"  {_where(rate):16} copy  {_measured(rate, 'GB/s')}, read and written together"
    for net in stored["models"]:
        yield from _net(net, with_layers)
    if stored["rows"]:
        yield "Results, of the lower of peak and memory (every layer's tensors through memory):"
        yield from map(_result, stored["rows"])


def _where(rate: Row) -> str:
    if rate["device"] == "cuda":
        return "GPU"
    return f"CPU, {rate['threads']} thread{'' if rate['threads'] == 1 else 's'}"


def _measured(rate: Row, unit: str) -> str:
    if rate["value"] is None:
        return f"no figure: {rate['reason']}"
    return f"{rate['value']:9,.1f} {unit} ({rate['lowest']:,.1f} to {rate['highest']:,.1f})"


def _net(net: Row, with_layers: bool) -> Iterator[str]:
    size = net["input_size"]
    yield (
        f"{net['model']}, one image of {size} × {size}: {net['multiply_adds'] / 1e6:,.2f} million "
        "multiply-adds"
    )
    for name, totals in net["precisions"].items():
        yield (
            f"  {name:5} weights {totals['weight_bytes'] / 1e3:9,.1f} kB, activations "
            f"{totals['activation_bytes'] / 1e3:9,.1f} kB, {totals['flops_per_byte']:6,.1f} FLOP a "
            f"byte at batch 1"
        )
    if with_layers:
        yield f"  {'layer':22} {'kind':14} {'multiply-adds':>14} {'weights':>9} {'read':>9} {'written':>9}"
        for layer in net["layers"]:
            yield (
                f"  {layer['name']:22} {layer['kind']:14} {layer['multiply_adds']:14,} "
                f"{layer['weights']:9,} {layer['values_read']:9,} {layer['values_written']:9,}"
            )
        sizes = ", ".join(f"{size} in {name}" for name, size in ELEMENT_BYTES.items())
        yield f"  weights, read and written count values; bytes of one: {sizes}"


def _result(row: Row) -> str:
    who = f"  {row['model']:14} {row['engine']}:{row['precision']}"
    how = f"threads {row['threads']}, batch {row['batch_size']}"
    reached = f"{row['attained_gflops']:9,.1f} GFLOP/s"
    if row["percent_of_bound"] is None:
        return f"{who:46} {how:24} {reached}, no roof: {row['reason']}"
    return (
        f"{who:46} {how:24} {reached}, {row['percent_of_bound']:5.1f} % of "
        f"{row['bound_gflops']:,.1f} (set by {row['bound_by']}){_doubt(row)}"
    )


def _doubt(row: Row) -> str:
    return f"; {row['doubt']}" if row["doubt"] else ""
