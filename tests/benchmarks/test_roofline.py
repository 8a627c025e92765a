"""The roofline: what the machine can do, and what share of it each result is."""

from __future__ import annotations

import json
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.roofline import machine as measured
from benchmarks.roofline.commands import count_named
from benchmarks.roofline.counting import Counted, Layer, count_network
from benchmarks.roofline.machine import Effort, measure_machine, time_rounds
from benchmarks.roofline.products import products
from benchmarks.roofline.roofs import Machine, Rate
from benchmarks.roofline.rows import BEYOND, place_rows
from resnet_core.errors import ConfigError
from resnet_core.models.config import parse_model_name
from resnet_core.training.hardware import describe_environment

TINY = Effort(
    sizes=(32, 64), images=1, copied_bytes=2**16, rounds=3, round_seconds=0.0, case_seconds=0.0
)
# A net of 500 multiply-adds and 100 weights that moves 200 values; 1 x 1 pixel, 2 classes.
NET = Counted(1, 2, (Layer("all", "convolution", 500, 100, 150, 50),))
ROW = {
    "model": "net", "engine": "e", "precision": "fp32", "threads": 2, "batch_size": 10,
    "runs": "E 1, CPU, fp32", "valid": True, "images_per_second": 1e6,
}  # fmt: skip


def machine(peak: float | None, memory: float, device: str = "cpu", threads: object = 2) -> Machine:
    reason = None if peak else "it was left out"
    return Machine(
        (Rate(device, threads, "fp32", peak, reason=reason),),  # type: ignore[arg-type]
        (Rate(device, threads, None, memory),),  # type: ignore[arg-type]
    )


def test_a_row_is_held_against_the_lower_roof() -> None:
    layered, ideal = 40 + 800 + 11, 40 + 11  # bytes of an image at batch 10
    (row,) = place_rows([ROW], {"net": NET}, machine(peak=4.0, memory=100.0))
    assert row["attained_gflops"] == pytest.approx(1.0)
    assert row["flops_per_byte"] == pytest.approx(1000 / layered)
    assert row["bound_by"] == "arithmetic" and row["percent_of_bound"] == pytest.approx(25)
    (row,) = place_rows([ROW], {"net": NET}, machine(peak=4.0, memory=1.0))
    assert row["bound_by"] == "memory"
    assert row["bound_gflops"] == pytest.approx(1000 / layered)
    assert row["percent_of_bound"] == pytest.approx(layered / 10)  # caches held what it moved
    assert row["ideal_bound_gflops"] == pytest.approx(4.0) and row["doubt"] is None
    assert 1000 / ideal > 4  # memory would feed more than the peak
    assert row["percent_of_ideal_bound"] == pytest.approx(25)


def test_what_cannot_be_is_doubted() -> None:
    (row,) = place_rows([ROW], {"net": NET}, machine(peak=0.5, memory=100.0))
    assert row["percent_of_ideal_bound"] == pytest.approx(200) and row["doubt"] == BEYOND


def test_rows_without_a_roof_or_a_figure_say_so_or_are_left_out() -> None:
    wrong = ROW | {"valid": False}
    (row,) = place_rows([wrong, ROW], {"net": NET}, machine(None, 1.0))
    assert row["percent_of_bound"] is None and row["reason"] == "it was left out"
    assert row["attained_gflops"] == pytest.approx(1.0)
    one = place_rows([ROW | {"threads": 1}], {"net": NET}, machine(4.0, 1.0))[0]
    assert one["percent_of_bound"] is None and "1 threads was not measured" in one["reason"]
    odd = place_rows([ROW | {"precision": "int3"}], {"net": NET}, machine(4.0, 1.0))[0]
    assert odd["percent_of_bound"] is None and "int3" in odd["reason"]


def test_what_ran_on_a_gpu_is_held_against_the_gpu() -> None:
    on_gpu = ROW | {"runs": "PyTorch 2.15.0, CUDA, eager, fp32"}
    both = machine(4.0, 1e3)
    gpu = machine(20.0, 1e3, "cuda", "all")
    both = Machine(both.peaks + gpu.peaks, both.bandwidths + gpu.bandwidths)
    placed = place_rows([ROW, on_gpu], {"net": NET}, both)
    assert [row["percent_of_bound"] for row in placed] == pytest.approx([25, 5])


def test_a_round_is_the_mean_of_its_repeats_and_warming_up_is_not_counted() -> None:
    clock = count(0.0, 0.0)  # stands still: the work itself moves it
    now = [0.0]
    took = iter([50.0, 50.0] + [0.5] + [1.0, 3.0] * 2 + [5.0, 5.0])

    def work() -> None:
        now[0] += next(took)

    effort = Effort((1,), 1, 1, rounds=3, round_seconds=1.0, case_seconds=100.0)
    assert time_rounds(work, effort, clock=lambda: now[0] + next(clock)) == [2.0, 2.0, 5.0]


def test_long_cases_end_after_three_rounds() -> None:
    now = [0.0]

    def work() -> None:
        now[0] += 10.0

    effort = Effort((1,), 1, 1, rounds=50, round_seconds=0.1, case_seconds=1.0)
    assert time_rounds(work, effort, clock=lambda: now[0]) == [10.0] * 3


def test_the_fastest_product_is_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    # Medians: 2 x 32^3 in 2 microseconds, 2 x 64^3 in 8: the second is faster.
    matrices = [[1e-6, 3e-6, 2e-6], [64e-6, 8e-6, 4e-6]]
    seconds = iter([*matrices, [1.0]])
    monkeypatch.setattr(measured, "time_rounds", lambda *_: next(seconds))
    rate = measured._peak(torch.device("cpu"), 1, "fp32", TINY)
    assert rate.of == "matrices of 64 × 64"
    assert rate.size == 64 and rate.value == pytest.approx(2 * 64**3 / 8e-6 / 1e9)
    assert rate.lowest == pytest.approx(2 * 64**3 / 64e-6 / 1e9)
    seconds = iter([*matrices, [1e-6]])
    rate = measured._peak(torch.device("cpu"), 1, "fp32", TINY)
    assert rate.of == "3 × 3 convolutions of 256 channels"
    assert rate.value == pytest.approx(2 * 16**2 * 256**2 * 9 / 1e-6 / 1e9)
    monkeypatch.setattr(measured, "time_rounds", lambda *_: [1e-6, 2e-6, 9e-6])
    copied = measured._bandwidth(torch.device("cpu"), 1, TINY)
    assert copied.value == pytest.approx(2 * 2**16 / 2e-6 / 1e9)


def test_the_machine_is_measured_with_the_threads_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    used: list[int] = []
    usual = torch.get_num_threads()
    plain = measured.time_rounds
    monkeypatch.setattr(
        measured, "time_rounds", lambda *a: used.append(torch.get_num_threads()) or plain(*a)
    )
    found = measure_machine([1, 0], TINY, TINY)
    assert torch.get_num_threads() == usual and set(used[: len(used) // 2]) == {1}
    for threads in (1, "all"):
        peak = found.peak("cpu", threads, "fp32")
        assert peak.value and peak.lowest and peak.lowest <= peak.value <= (peak.highest or 0)
        assert found.bandwidth("cpu", threads)
        for precision in ("bf16", "fp16", "int8"):
            rate = found.peak("cpu", threads, precision)
            assert (rate.value is None) == (rate.reason is not None)


def test_a_format_the_chip_emulates_gets_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_vnni": True})
    cpu = torch.device("cpu")
    assert measured.why_not(cpu, "fp32") is None and measured.why_not(cpu, "int8") is None
    for precision in ("bf16", "fp16"):
        assert f"multiply {precision} natively" in str(measured.why_not(cpu, precision))


def test_int8_products_are_exact() -> None:
    """What is timed as int8 is an int8 product, and of numbers that exercise the chip."""
    for product in products((64,), 1, "int8", torch.device("cpu")):
        assert isinstance(product.run, partial)
        a, b = product.run.args
        assert a.dtype == torch.int8 and a.unique().numel() > 50
        torch.testing.assert_close(product.run().long(), a.long() @ b.long(), atol=0, rtol=0)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_timed_is_as_much_work_as_is_said(precision: str) -> None:
    for product in products((32,), 2, precision, torch.device("cpu")):
        with FlopCounterMode(display=False) as theirs:
            product.run()
        assert theirs.get_total_flops() == product.flops


def test_a_gpus_pixels_are_counted_without_their_way_there() -> None:
    row = ROW | {"runs": "PyTorch 2.15.0, CUDA", "images_per_second_without_copies": 2e6}
    (placed,) = place_rows([row], {"net": NET}, machine(20.0, 1e3, "cuda", "all"))
    assert placed["without_copies"] and placed["images_per_second"] == 2e6
    assert placed["attained_gflops"] == pytest.approx(2.0)
    (usual,) = place_rows([ROW], {"net": NET}, machine(20.0, 1e3))
    assert not usual["without_copies"] and usual["images_per_second"] == 1e6


def test_nets_are_found_by_name_file_or_built(tmp_path: Path) -> None:
    shipped = count_named("resnet20_v1", tmp_path)
    assert count_named("zoo/resnet20_v1/model.onnx", tmp_path) == shipped
    built = count_named("resnet8_v1", tmp_path)
    assert built == count_network(parse_model_name("resnet8_v1"))
    with pytest.raises(ConfigError, match="no model named 'abacus'"):
        count_named("abacus", tmp_path)


@pytest.fixture
def tiny_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = measured.measure_machine
    monkeypatch.setattr(measured, "measure_machine", lambda threads: usual(threads, TINY, TINY))


def results(path: Path, **environment: object) -> Path:
    here = describe_environment() | environment
    row = ROW | {
        "model": "resnet20_v1", "threads": 1, "images_per_second": 1e-3, "rounds": 1, "rates": [1e-3],
    }  # fmt: skip
    path.write_text(json.dumps({"environment": here, "rows": [row, row | {"valid": False}]}))
    return path


def test_the_command_writes_and_prints_the_same(
    tiny_effort: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.__main__ import main

    out = tmp_path / "roofline.json"
    words = [
        "roofline",
        "--models",
        "plain8",
        "--throughput",
        str(results(tmp_path / "speed.json")),
    ]
    assert main([*words, "--layers", "--json", str(out)]) == 0
    stored, shown = json.loads(out.read_text()), capsys.readouterr().out
    assert stored["format"] == "resnet-lab-roofline-1" and stored["environment"]["torch"]
    assert [net["model"] for net in stored["models"]] == ["plain8", "resnet20_v1"]
    assert {rate["threads"] for rate in stored["machine"]["peaks"]} == {"all", 1}
    (row,) = stored["rows"]
    assert row["attained_gflops"] == pytest.approx(2 * 40_551_040 * 1e-3 / 1e9)
    assert 0 < row["percent_of_bound"] < 100
    assert "40.55 million multiply-adds" in shown and "stage3.0.conv2" in shown
    assert "% of" in shown and "set by" in shown


def test_results_of_another_machine_or_none_at_all_are_refused(
    tiny_effort: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks.__main__ import main

    other = results(tmp_path / "other.json", cpu="Abacus 3000")
    older = results(tmp_path / "older.json", cpu_features=["avx2"])  # of the same name
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps({"environment": describe_environment(), "rows": []}))
    strange = tmp_path / "strange.json"
    strange.write_text("[1]")
    for path, said in (
        (other, "another machine"), (older, "another machine (features AVX2 there"), (empty, "no measured row"), (strange, "no results of"),
        (tmp_path / "missing.json", "no file"), (tmp_path, "no file"),
    ):  # fmt: skip
        assert main(["roofline", "--throughput", str(path)]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "resnet-lab-roofline-1"}, {"environment": "this machine"}, {"progress": [1]},
        {"rows": [{key: value for key, value in ROW.items() if key != "engine"}]}, {"rows": [1]},
    ],
)  # fmt: skip
def test_a_file_of_another_format_is_refused_in_one_sentence(
    changes: dict[str, object], tiny_effort: None, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from benchmarks.__main__ import main

    path = results(tmp_path / "strange.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert main(["roofline", "--throughput", str(path)]) == 2
    said = capsys.readouterr().err
    assert "holds no results of `benchmarks throughput`" in said and said.count("\n") == 1
