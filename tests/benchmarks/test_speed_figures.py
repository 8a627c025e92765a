"""Figures of speed: what they claim and draw follows the rows, whatever these say."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.figures.speed_batch import batch_figure
from benchmarks.figures.speed_front import Point, front_figure, name_rows, pareto_front, points_of
from benchmarks.figures.speed_latency import latency_figure
from benchmarks.figures.speed_style import LOOKS, VARIANTS, log_axis, look_of, mark_of
from benchmarks.figures.style import FAMILY_COLOURS
from benchmarks.throughput.machine import describe, differences, machine_name
from benchmarks.throughput.record import Record
from benchmarks.throughput.report import missing_engines, speed_csv, speed_html, wrong_rows
from benchmarks.throughput.settings import SpeedSettings
from benchmarks.throughput.stored import SHIPPED_FOLDER, StoredSpeed, read_speed
from export.engines.catalogue import ENGINES
from resnet_core.errors import ConfigError
from resnet_core.files import write_json
from tests.written_speed import ENVIRONMENT, failed_row, speed_row, write_speed

FASTER = [4900.0, 5000.0, 5100.0]


@pytest.fixture
def stored(tmp_path: Path):
    def store(*rows, **others) -> StoredSpeed:
        return read_speed(write_speed(tmp_path / "speed.json", list(rows), **others))

    return store


def test_the_fastest_is_named_with_its_lead(stored) -> None:
    found = stored(
        speed_row(), speed_row(batch=32, rates=[1990, 2000, 2010]),
        speed_row(engine="openvino-cpu", precision="bf16", batch=32, rates=FASTER),
        speed_row(engine="openvino-cpu", precision="bf16", threads="1", rates=[90e3]),
        failed_row("onnxruntime-cuda", "fp32", "there is no NVIDIA GPU"),
    )  # fmt: skip
    figure = batch_figure(found, "resnet20_v1", "all")
    assert figure.layout.title.text == (
        "OpenVINO bf16 is fastest: resnet20_v1 at 5,000 images/s, batch 32, 2.5 times ONNX RT CPU fp32"
    )
    lines = {line.name: line for line in figure.data}
    assert set(lines) == {"ONNX RT CPU fp32", "OpenVINO bf16"}  # nothing is drawn without a figure
    ort = lines["ONNX RT CPU fp32"]
    assert list(ort.x) == [1, 32] and list(ort.y) == [1000, 2000]
    assert list(ort.error_y.array) == [10, 10] and list(ort.error_y.arrayminus) == [10, 10]


def test_a_line_s_name_has_the_mark_of_its_points(stored) -> None:
    found = stored(
        speed_row(engine="openvino-cpu"), speed_row(engine="openvino-cpu", precision="bf16")
    )
    figure = batch_figure(found, "resnet20_v1", "all")
    assert [line.marker.symbol for line in figure.data] == ["cross", "cross-open"]
    marks = [re.search(r"<b>(.)</b></span> (.*)", note.text) for note in figure.layout.annotations]
    assert {mark.groups() for mark in marks if mark} == {
        ("✚", "OpenVINO fp32"), ("✛", "OpenVINO bf16")
    }  # fmt: skip


def test_a_gpus_engines_are_held_against_what_most_use_there(stored) -> None:
    found = stored(
        speed_row(engine="onnxruntime-cuda", rates=[990, 1000, 1010]),
        speed_row(engine="pytorch-cuda-graphs", rates=[2480, 2500, 2520]),
        speed_row(engine="onnxruntime-cuda-graphs", rates=[1990, 2000, 2010]),
    )
    title = batch_figure(found, "resnet20_v1", "all").layout.title.text
    assert title.endswith("2.5 times ONNX RT CUDA fp32")


def test_a_small_lead_is_not_rounded_away(stored) -> None:
    found = stored(
        speed_row(rates=[999, 1000, 1001], starts=[1, 2, 3]),
        speed_row(engine="openvino-cpu", rates=[1040, 1041, 1042], starts=[1, 2, 3]),
    )
    title = batch_figure(found, "resnet20_v1", "all").layout.title.text
    assert title.endswith("1.04 times ONNX RT CPU fp32")


def test_a_small_lead_of_few_processes_is_no_lead(stored) -> None:
    found = stored(
        speed_row(rates=[1000]), speed_row(engine="openvino-cpu", rates=[1040, 1041, 1042])
    )
    figure = batch_figure(found, "resnet20_v1", "all")
    assert "are about level" in figure.layout.title.text
    lines = {trace.name: trace for trace in figure.data}
    alone = lines["ONNX RT CPU fp32"]
    assert [*alone.error_y.array, *alone.error_y.arrayminus] == [0, 0]
    assert alone.customdata[0][1] == "one round"
    assert lines["OpenVINO fp32"].customdata[0][1] == "range 1,040 to 1,042"


def test_no_lead_is_claimed_where_intervals_meet(stored) -> None:
    found = stored(
        speed_row(rates=[950, 1000, 1050]), speed_row(engine="openvino-cpu", rates=[940, 990, 1040])
    )
    title = batch_figure(found, "resnet20_v1", "all").layout.title.text
    assert title.startswith("ONNX RT CPU fp32 and OpenVINO fp32 are about level")


def test_a_large_lead_that_is_not_shown_only_seems_to_be_one(stored) -> None:
    found = stored(
        speed_row(rates=[500, 1000, 1600]),
        speed_row(engine="openvino-cpu", rates=[1500, 2000, 2500]),
    )
    title = batch_figure(found, "resnet20_v1", "all").layout.title.text
    assert title == (
        "OpenVINO fp32 seems fastest: resnet20_v1 at 2,000 images/s, batch 1, 2.0 times ONNX RT "
        "CPU fp32; not surely ahead of ONNX RT CPU fp32"
    )


def test_a_title_says_where_not_all_was_measured(stored) -> None:
    progress = {"done": 1, "total": 9, "finished": False, "now": "stopped"}
    found = stored(speed_row(), progress=progress)
    for figure in (
        batch_figure(found, "resnet20_v1", "all"), latency_figure(found, "resnet20_v1", "all"),
        front_figure(found),
    ):  # fmt: skip
        assert figure.layout.title.text.startswith("So far: ")


def test_latencies_are_of_the_smallest_batch_and_only_the_known_ones(stored) -> None:
    found = stored(
        speed_row(batch=8, rates=FASTER), speed_row(p99_ms=None),
        speed_row(engine="openvino-cpu", rates=FASTER),
    )  # fmt: skip
    figure = latency_figure(found, "resnet20_v1", "all")
    assert [line.name for line in figure.data] == ["OpenVINO fp32", "ONNX RT CPU fp32"]
    assert [list(line.x) for line in figure.data] == [[0.2, 0.24, 0.4], [1.0, 1.2]]
    assert "OpenVINO fp32 answers one image in 0.2 ms, 99 of 100 within 0.4 ms" in (
        figure.layout.title.text
    )
    assert "too few calls" in figure.data[1].customdata[0][0]


def test_the_front_is_what_nothing_beats(stored) -> None:
    found = stored(
        speed_row(), speed_row(batch=32, rates=[2000]),
        speed_row(model="resnet56_v1", rates=[400]), speed_row(model="plain20", rates=[1500]),
        speed_row(model="plain20", engine="openvino-cpu", rates=[3000]),
    )  # fmt: skip
    points = points_of(found, "best")
    front = pareto_front(points)
    by_hand = [
        p for p in points
        if all(p.rate > q.rate or p.error < q.error for q in points if q is not p)
    ]  # fmt: skip
    assert [p.name for p in front] == [p.name for p in sorted(by_hand, key=lambda p: p.rate)]
    assert [(p.rate, p.error) for p in front] == [(400, 6.5), (2000, 8.39), (3000, 9.6)]
    figure = front_figure(found)
    assert "Fewest errors: resnet56_v1 on ONNX RT CPU fp32, 6.50 % at 400 images/s" in (
        figure.layout.title.text
    )
    line = next(line for line in figure.data if line.mode == "lines")
    assert list(line.x) == [400, 2000, 3000] and line.line.shape == "vh"
    assert {p.rate for p in points_of(found, "1")} == {1000, 400, 1500, 3000}


def test_an_engine_is_drawn_at_the_error_of_its_own_answers(stored) -> None:
    found = stored(speed_row(), speed_row(precision="int8", rates=FASTER, test_error_percent=8.9))
    assert [point.error for point in points_of(found, "best")] == [8.39, 8.9]


def test_nothing_measured_is_said_not_drawn(stored) -> None:
    found = stored(failed_row("openvino-cpu", "fp32", "it is not installed"))
    for figure in (batch_figure(found, "resnet20_v1", "all"), front_figure(found)):
        assert not figure.data and len(figure.layout.annotations) == 1


def test_looks_are_distinct_and_no_family_s() -> None:
    assert set(LOOKS) == set(ENGINES)
    for shade in ("light", "dark"):
        colours = {getattr(look.colour, shade) for look in LOOKS.values()}
        assert len(colours) == len(LOOKS) and not colours & set(FAMILY_COLOURS.values())
    marks = {mark_of(engine, precision) for engine in LOOKS for precision in VARIANTS}
    assert len(marks) == len(LOOKS) * len(VARIANTS)
    assert look_of("abacus").short == "abacus" and mark_of("openvino-cpu", "fp4") == "cross-open"


def test_every_colour_has_its_dark_twin(stored) -> None:
    found = stored(
        *(speed_row(engine=engine, rates=FASTER) for engine in LOOKS), speed_row("plain20")
    )
    for figure in (
        batch_figure(found, "resnet20_v1", "all"), latency_figure(found, "resnet20_v1", "all"),
        front_figure(found),
    ):  # fmt: skip
        colours = set(re.findall(r"#[0-9a-f]{6}", "".join(str(trace) for trace in figure.data)))
        assert colours <= figure.layout.meta["dark"].keys()


def test_files_without_a_format_are_read_and_others_refused(tmp_path: Path) -> None:
    row = {k: v for k, v in speed_row().items() if k not in ("rates", "starts", "install")}
    old = tmp_path / "old.json"
    write_json(old, {"environment": ENVIRONMENT, "rows": [row]})
    found = read_speed(old)
    assert found.is_finished and found.model("resnet20_v1")["test_error_percent"] > 5
    assert batch_figure(found, "resnet20_v1", "all").data and "resnet20_v1" in speed_csv(found)
    for held in ({"format": "resnet-lab-load-1", "environment": {}, "rows": []}, [1], {"rows": 3}):
        write_json(old, held)
        with pytest.raises(ConfigError, match="holds no results"):
            read_speed(old)


def test_missing_and_wrong_engines_are_told_apart(stored) -> None:
    found = stored(
        speed_row(), failed_row("onnxruntime-tensorrt", "fp32", "there is no NVIDIA GPU"),
        failed_row("onnxruntime-cuda", "fp32", "there is no NVIDIA GPU"),
        failed_row("onnxruntime-cuda", "fp16", "there is no NVIDIA GPU"),
        failed_row("openvino-cpu", "int8", "only 70 % agree", agreement=70.0),
        failed_row("openvino-cpu", "fp32", "not installed", install="pip install openvino"),
    )  # fmt: skip
    assert missing_engines(found) == [
        (
            "onnxruntime-cuda: fp16, fp32; onnxruntime-tensorrt: fp32",
            "there is no NVIDIA GPU", "",
        ),
        ("openvino-cpu: fp32", "not installed", "pip install openvino"),
    ]  # fmt: skip
    assert [row["precision"] for row in wrong_rows(found)] == ["int8"]
    page = speed_html(found)
    assert "no figure: only 70 % agree" in page and "pip install openvino" in page
    assert "src=" not in page.split("</script>", 1)[1] and "Abacus 9000" in page


def test_the_machine_is_described_and_told_from_another() -> None:
    said = dict(describe(ENVIRONMENT))
    assert said["Processor"] == "Abacus 9000, 2 cores, 2.60 GHz"
    assert said["Features"] == "AVX2, AVX-512, AVX512-VNNI"
    other = ENVIRONMENT | {"cores": 4, "cpu_features": ["avx2", "amx_int8"], "gpu": "Slide Rule"}
    assert differences(ENVIRONMENT, other) == [
        ("cores", "2", "4"),
        ("cpu features", "AVX2, AVX-512, AVX512-VNNI", "AVX2, AMX-INT8"),
        ("gpu", "–", "Slide Rule"),
    ]
    assert machine_name(ENVIRONMENT) == "Abacus 9000, 2 cores, AVX512-VNNI"
    assert machine_name(other) == "Slide Rule"
    assert machine_name({}) == "a processor, ? cores"


def test_results_that_ship_are_told_apart_by_their_machines() -> None:
    others = ("roofline-", "load-")
    files = [path for path in SHIPPED_FOLDER.glob("*.json") if not path.name.startswith(others)]
    names = {machine_name(read_speed(path).environment) for path in files}
    assert len(names) == len(files) == 4


def test_what_is_recorded_half_way_is_read_as_unfinished(tmp_path: Path) -> None:
    settings = SpeedSettings(batch_sizes=("1", "8"), rounds=2)
    about = {"environment": ENVIRONMENT, "command": settings.command, "settings": {}, "models": []}
    record = Record(tmp_path / "out.json", about, settings.method(), [])
    record.write("comparing answers")
    found = read_speed(tmp_path / "out.json")
    assert not found.is_finished and found.share_done == 0 and not found.rows
    record.write("", finished=True)
    assert read_speed(tmp_path / "out.json").is_finished


def test_settings_say_all_that_is_wrong_and_the_command_that_asks_them() -> None:
    with pytest.raises(ConfigError) as problems:
        SpeedSettings(models=(), batch_sizes=("x",), seconds=float("nan"), rounds=0).method()
    assert len(problems.value.problems) == 4
    assert SpeedSettings(threads=("1", "all")).command.startswith(
        "python -m benchmarks throughput --models resnet20_v1 --engines all "
        "--batch-sizes 1,8,32,128 --threads 1,all"
    )


@pytest.mark.parametrize("values", [[90.0], [90.0, 110.0], [3.0, 40_000.0]])
def test_a_logarithmic_axis_holds_its_values_with_room(values: list[float]) -> None:
    low, high = log_axis(values)["range"]
    assert 10**low < 0.8 * min(values) and 10**high > 1.2 * max(values)


def test_an_axis_that_shows_a_decade_writes_its_ticks_in_full() -> None:
    """Left to itself plotly writes 2, 3, 4 for 200, 300, 400."""
    for values, room in (([330, 1380], 0.15), ([3, 40_000], 0.08)):
        axis = log_axis(values, room)
        assert axis["range"][1] - axis["range"][0] > 1 and axis["minorloglabels"] == "complete"
    assert "dtick" not in log_axis([90, 110])  # where plotly counts 80, 90, 100 by itself


def test_labels_of_level_lines_do_not_touch(stored) -> None:
    found = stored(*(speed_row(engine=engine, rates=[990, 1000, 1010]) for engine in LOOKS))
    figure = batch_figure(found, "resnet20_v1", "all")
    low, high = figure.layout.yaxis.range
    places = sorted((note.y - low) / (high - low) for note in figure.layout.annotations)
    assert min(b - a for a, b in pairwise(places)) > 0.07
    assert all(0 <= place <= 1 for place in places)


def test_names_of_near_points_stand_below_one_another() -> None:
    def at(rate: float, error: float) -> Point:
        return Point({"images_per_second": rate}, error, look_of("onnxruntime-cpu").colour)

    slow, exact, level, quick = at(500, 9), at(600, 7.0), at(2500, 8.40), at(4900, 8.41)
    assert name_rows([slow, exact, level, quick], [exact, level, quick]) == [0, 1, 0]
    apart = at(4900, 8.9)  # above: its name ends over the other's
    assert name_rows([slow, exact, level, apart], [exact, level, apart]) == [0, 0, 0]
    assert name_rows([quick], [quick]) == [0]
