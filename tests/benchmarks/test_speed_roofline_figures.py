"""The roofline's figure and the profile's: what they draw is what was stored, and they say it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from benchmarks.figures.speed_profile import profile_figure
from benchmarks.figures.speed_roofline import QUESTION, roofline_figure
from benchmarks.roofline.counting import count_network
from benchmarks.roofline.layer_times import summarise
from benchmarks.roofline.roofs import Machine, Rate
from benchmarks.roofline.rows import place_rows
from export.engines.profile import Operation, ProfiledRun
from resnet_core.models.config import parse_model_name

Row = dict[str, Any]


def rate(precision: str | None, value: float | None, device: str = "cpu") -> Rate:
    reason = None if value else "emulated"
    return Rate(device, "all", precision, value, value, value, 512, reason)


MACHINE = Machine(
    (rate("fp32", 100.0), rate("int8", 400.0), rate("fp16", None), rate("fp32", 9e4, "cuda")),
    (rate(None, 20.0), rate(None, 3000.0, "cuda")),
)


def measured(engine: str, precision: str, rate: float, runs: str = "x, CPU") -> Row:
    return {
        "model": "resnet8_v1", "engine": engine, "precision": precision, "threads": "all",
        "batch_size": 8, "runs": runs, "valid": True, "images_per_second": rate,
    }  # fmt: skip


def stored(*rows: Row) -> Row:
    counted = {"resnet8_v1": count_network(parse_model_name("resnet8_v1"))}
    return {"machine": MACHINE.to_dict(), "rows": place_rows(rows, counted, MACHINE)}


def test_roofs_meet_where_memory_feeds_the_peak() -> None:
    figure = roofline_figure(stored(measured("openvino-cpu", "fp32", 1000.0)))
    memory, fp32, int8, result = figure.data
    assert memory.x[-1] == pytest.approx(int8.x[0]) == pytest.approx(400 / 20)
    assert fp32.x[0] == pytest.approx(100 / 20) and set(fp32.y) == {100.0}
    assert all(
        y == pytest.approx(20 * x, rel=1e-4) for x, y in zip(memory.x, memory.y, strict=True)
    )
    flops = 2 * 12_239_488
    assert result.y[0] == pytest.approx(flops * 1000 / 1e9, rel=1e-5)
    assert "24.5 % of 100 GFLOP/s, set by arithmetic" in result.hovertemplate
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"


def test_the_title_names_who_comes_nearest_to_its_own_roof() -> None:
    rows = [measured("openvino-cpu", "int8", 3000.0), measured("onnxruntime-cpu", "fp32", 2000.0)]
    title = roofline_figure(stored(*rows)).layout.title.text
    assert title.startswith("ONNX RT CPU fp32 comes nearest: resnet8_v1, batch 8, at 49.0 %")
    beyond = measured("openvino-cpu", "fp32", 9000.0)
    assert "measure again" in roofline_figure(stored(*rows, beyond)).layout.title.text
    assert roofline_figure(stored()).layout.title.text == QUESTION


def test_a_phone_lists_the_peaks_alone() -> None:
    """Below the plot, where their names at its side would leave it no room: the key says the rest."""
    figure = roofline_figure(stored(measured("openvino-cpu", "fp32", 1000.0)))
    listed = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert listed == ["fp32 100 GFLOP/s", "int8 400 GFLOP/s"]


def test_results_without_a_roof_are_drawn_and_say_why() -> None:
    figure = roofline_figure(stored(measured("openvino-cpu", "fp16", 10.0)))
    assert "no roof: emulated" in figure.data[-1].hovertemplate
    assert figure.layout.title.text == QUESTION


def test_each_device_has_its_own_roofs() -> None:
    cpu = measured("openvino-cpu", "fp32", 10.0)
    gpu = [measured("onnxruntime-cuda", "fp32", n * 1e5, "x, CUDA, fp32") for n in (1, 2)]
    figure = roofline_figure(stored(cpu, *gpu))
    assert max(figure.data[1].y) == 9e4 and len(figure.data) == 4
    assert len(roofline_figure(stored(cpu, *gpu), device="cpu").data) == 4
    assert not roofline_figure(stored(cpu), threads=7).data


def profiled() -> Row:
    parts = (
        Operation("c", "input", "Convert", 1.0), Operation("1", "stem.0", "Convolution", 2.0),
        Operation("2", "stage1.0.conv1", "Conv", 5.0), Operation("r", "", "Reorder", 1.0),
    )  # fmt: skip
    about = {"model": "resnet8_v1", "engine": "openvino-cpu", "precision": "fp32", "batch_size": 8}
    return about | summarise([ProfiledRun(10.0, parts)])


def test_bars_are_layers_and_the_time_outside() -> None:
    figure = profile_figure(profiled())
    (bars,) = figure.data
    assert list(bars.y) == ["input", "stem.0", "stage1.0.conv1", "Reorder", "outside layers"]
    assert list(bars.x) == [1, 2, 5, 1, 1]
    assert figure.layout.title.text == (
        "Convolutions take 70.0 % of resnet8_v1's time on OpenVINO fp32; "
        "stage1.0.conv1 takes most, 50.0 %"
    )


def test_every_mark_and_bar_has_its_dark_twin() -> None:
    for figure in (
        roofline_figure(stored(measured("pytorch-eager", "fp32", 10.0))),
        profile_figure(profiled()),
    ):
        colours = set(re.findall(r"#[0-9a-f]{6}", "".join(str(trace) for trace in figure.data)))
        assert colours and colours <= figure.layout.meta["dark"].keys()
