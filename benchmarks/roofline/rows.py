"""Throughput results held against the roofline: how much of what the machine can do was reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.roofline.counting import ELEMENT_BYTES, Counted
from benchmarks.roofline.roofs import Machine
from benchmarks.throughput.stored import WITHOUT_COPIES

ON_GPU = {"CUDA", "TensorRT"}
BEYOND = "more than was measured to be possible: measure again while nothing else runs"
Row = dict[str, Any]


def place_rows(rows: Iterable[Row], counted: Mapping[str, Counted], machine: Machine) -> list[Row]:
    """Each measured row with the rate it reached and the roofs above it.

    On a GPU that is the rate of pixels that lie there already, where it was measured: its memory's
    roof says nothing of the way there, and `without_copies` tells which it is.
    `bound_gflops` is the lower of the peak and of what memory feeds when every layer's tensors go
    through it; caches that hold them can beat that one. `ideal_bound_gflops` counts only weights,
    input and output, and can't be beaten: a row above it carries a `doubt`. Where a roof is not
    known, `reason` says why.
    """
    return [_placed(row, counted[row["model"]], machine) for row in rows if is_measured(row)]


def is_measured(row: Row) -> bool:
    """Whether its answers were right and there is a figure."""
    return bool(row["valid"] and row.get("images_per_second"))


def device_of(row: Row) -> str:
    """cpu or cuda, by what really ran."""
    parts = {part.strip() for part in str(row.get("runs", "")).split(",")}
    return "cuda" if parts & ON_GPU else "cpu"


def _placed(row: Row, counted: Counted, machine: Machine) -> Row:
    device, precision = device_of(row), row["precision"]
    held = row.get(WITHOUT_COPIES)
    rate = row["images_per_second"] if held is None else held
    attained = counted.flops * rate / 1e9
    known = ("model", "engine", "precision", "threads", "batch_size")
    placed = {key: row[key] for key in known} | {
        "images_per_second": rate, "without_copies": held is not None, "device": device,
        "attained_gflops": attained,
    }  # fmt: skip
    if precision not in ELEMENT_BYTES:
        return placed | _unknown(f"how many bytes a value of {precision} takes is not known")
    traffic = counted.traffic(precision, row["batch_size"])
    intensities = {
        "flops_per_byte": counted.flops / traffic.layered,
        "ideal_flops_per_byte": counted.flops / traffic.ideal,
    }
    threads = "all" if device == "cuda" else row["threads"]
    peak, memory = machine.peak(device, threads, precision), machine.bandwidth(device, threads)
    if peak.value is None or memory is None:
        reason = peak.reason or f"the memory's rate with {threads} threads was not measured"
        return placed | intensities | _unknown(reason)
    fed = memory * intensities["flops_per_byte"]
    bound = min(peak.value, fed)
    ideal = min(peak.value, memory * intensities["ideal_flops_per_byte"])
    return placed | intensities | {
        "peak_gflops": peak.value,
        "bound_gflops": bound,
        "bound_by": "memory" if fed < peak.value else "arithmetic",
        "percent_of_bound": 100 * attained / bound,
        "ideal_bound_gflops": ideal,
        "percent_of_ideal_bound": 100 * attained / ideal,
        "doubt": BEYOND if attained > ideal else None,
        "reason": None,
    }  # fmt: skip


def _unknown(reason: str) -> Row:
    fields = (
        "peak_gflops", "bound_gflops", "bound_by", "percent_of_bound", "ideal_bound_gflops",
        "percent_of_ideal_bound", "doubt",
    )  # fmt: skip
    return dict.fromkeys(fields) | {"reason": reason}
