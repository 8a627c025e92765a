"""The figure of latency against load: what it says follows the rows, whatever they say."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benchmarks.figures.speed_load import load_figure


def row(load: float, p50: float | None, p99: float | None, **changed: Any) -> dict[str, Any]:
    return {
        "scenario": "server", "model": "resnet20_v1", "engine": "openvino-cpu", "precision": "fp32",
        "threads": "all", "offered_queries_per_second": load, "achieved_queries_per_second": load,
        "achieved_images_per_second": load, "p50_ms": p50, "p90_ms": p99, "p99_ms": p99,
        "samples": 1000, "saturated": False, "valid": True, "reason": None, "disturbed": False,
        "latency_bound_ms": 15.0, "batching": {"mean_images": 1.5},
    } | changed  # fmt: skip


OVER = {"valid": False, "reason": "more than 1 % of its answers took longer than 15 ms"}
ROWS = [
    row(400, 9.0, 80.0, saturated=True, **OVER),
    row(100, 2.0, None),
    row(200, 3.0, 9.0),
    {**row(900, None, None), "achieved_images_per_second": None, "valid": False},
    {**row(0, 5.0, 6.0), "scenario": "single-stream"},
]


def test_lines_are_the_percentiles_of_the_server_by_load() -> None:
    figure = load_figure({"rows": ROWS})
    lines = {trace.name: trace for trace in figure.data}
    assert list(lines) == ["p50", "p90", "p99", "bound 15 ms"]
    assert list(lines["p50"].x) == [100, 200, 400] and list(lines["p50"].y) == [2, 3, 9]
    assert list(lines["p99"].y) == [None, 9, 80] and not lines["p99"].connectgaps
    assert list(lines["p50"].marker.symbol) == [
        "cross",
        "cross",
        "x",
    ]  # as OpenVINO in every figure
    assert list(lines["bound 15 ms"].x) == [100, 400] and set(lines["bound 15 ms"].y) == {15}
    assert figure.layout.yaxis.type == "log" and figure.layout.xaxis.type is None
    notes = " ".join(note.text for note in figure.layout.annotations)
    assert "Not an MLPerf result" in notes and "could not keep up" in notes
    told = lines["p99"].customdata
    assert "too few queries" in told[0][1] and "took longer" in told[2][1].replace("<br>", " ")


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (ROWS, "OpenVINO fp32 keeps 99 of 100 answers within 15 ms up to 200 queries/s"),
        ([row(9, 20.0, 90.0, **OVER)], "No load tried is sure to keep 99 of 100 answers within 15 ms"),
        (
            [*ROWS, row(50, 1.0, 2.0, engine="pytorch-eager")],
            "OpenVINO keeps 99 of 100 answers within 15 ms up to 200 queries/s; "
            "PyTorch up to 50",
        ),
        (ROWS[3:], "Latency against load"),
        ([], "Latency against load"),
    ],
)  # fmt: skip
def test_the_title_is_what_was_found(rows: list[dict], says: str) -> None:
    assert load_figure({"rows": rows}).layout.title.text == says


def test_setups_are_told_apart_and_loads_far_apart_stand_on_a_logarithmic_axis() -> None:
    others = [row(2, 1.0, 2.0, threads="1"), row(3, 1.0, 2.0, precision="int8")]
    figure = load_figure({"rows": [*ROWS, *others]})
    names = [trace.name for trace in figure.data]
    assert "fp32 threads 1 p50" in names and "int8 threads all p99" in names
    assert len(set(names)) == len(names) and not any("p90" in name for name in names)
    assert figure.layout.xaxis.type == "log"


def test_every_line_has_its_dark_twin() -> None:
    figure = load_figure({"rows": [*ROWS, row(2, 1.0, 2.0, engine="abacus")]})
    colours = set(re.findall(r"#[0-9a-f]{6}", "".join(str(trace) for trace in figure.data)))
    assert colours and colours <= figure.layout.meta["dark"].keys()
