"""The throughput benchmark: wrong answers and disturbed rounds are caught; rows say what was run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from scipy import stats

from benchmarks.rounds import check_rounds
from benchmarks.throughput import measure as measurement
from benchmarks.throughput import probe as probing
from benchmarks.throughput.answers import check_answers
from benchmarks.throughput.cases import Setup, parse_threads, plan_setups
from benchmarks.throughput.commands import as_table
from benchmarks.throughput.measure import ROOT, Result, Worker, measure, workers
from benchmarks.throughput.probe import LoadProbe, fixed_work
from benchmarks.throughput.reference import reference_classes
from benchmarks.throughput.report import cells, speed_csv
from benchmarks.throughput.settings import Method, SpeedSettings
from benchmarks.throughput.stored import StoredSpeed, spread_in_words
from benchmarks.throughput.summary import (
    INTERVAL,
    RANGE,
    Spread,
    median_interval,
    rate_of,
    spread_of,
)
from benchmarks.throughput.worker import _time
from export.engines.catalogue import ENGINES, Choice, find_choice
from export.latency import percentiles, samples_needed
from resnet_core.errors import ConfigError, LabError, ModelError
from resnet_core.zoo import find_in_zoo

SETUP = Setup("resnet20_v1", find_choice("onnxruntime-cpu"), 0)


def permute_answers(source: Path, target: Path) -> None:
    """The same net with its classes in another order: as fast, and wrong."""
    model = onnx.load(source)
    order = numpy_helper.from_array(np.roll(np.arange(10), 1), "order")
    model.graph.initializer.append(order)
    for name in ("logits", "probabilities"):
        for node in model.graph.node:
            node.output[:] = [f"right_{name}" if out == name else out for out in node.output]
            node.input[:] = [f"right_{name}" if i == name else i for i in node.input]
        model.graph.node.append(
            helper.make_node("Gather", [f"right_{name}", "order"], [name], axis=1)
        )
    onnx.save(model, target)


def test_a_wrong_engine_gets_no_figure(run_module, tmp_path: Path, data_folder: Path) -> None:
    entry = find_in_zoo("resnet20_v1")
    shutil.copyfile(entry.weights_file, tmp_path / "model.safetensors")
    permute_answers(entry.onnx_file, tmp_path / "model.onnx")
    done = run_module(
        "benchmarks", "throughput", "--models", tmp_path / "model.onnx",
        "--engines", "pytorch-eager:fp32,onnxruntime-cpu:fp32,onnxruntime-cuda:fp32", "--batch-sizes", "2",
        "--rounds", 1, "--processes", 1, "--seconds", 0.05, "--gate-images", 100,
        "--data-folder", data_folder, "--json", tmp_path / "out.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stored = json.loads((tmp_path / "out.json").read_text())
    right, wrong, missing = stored["rows"]
    assert right["valid"] and right["agreement_percent"] == 100 and right["images_per_second"] > 0
    assert right["engine"] == "pytorch-eager" and "eager, fp32" in right["runs"]
    assert not wrong["valid"] and wrong["images_per_second"] is None
    assert wrong["agreement_percent"] < 50 and "of its answers" in wrong["reason"]
    if not missing["valid"]:
        assert "GPU" in missing["reason"]
    assert stored["environment"]["torch"] and "no figure: only" in done.stdout


class Batched:
    """The planted engine that is right but in batches of one size, as where each is compiled anew."""

    def __init__(self, classes: np.ndarray, wrong_at: int):
        self.right, self.wrong_at = classes, wrong_at

    def classes(self, images: Path, batch_size: int = 250, count: int = 0) -> np.ndarray:
        classes = self.right[np.arange(count or len(self.right)) % len(self.right)]
        return (classes + 1) % 10 if batch_size == self.wrong_at else classes


def test_an_engine_that_is_wrong_at_one_batch_size_gets_no_figure() -> None:
    right = np.arange(300) % 10
    for wrong_at, reason in ((0, ""), (8, "batches of 8"), (512, "batches of 512")):
        result = Result(SETUP)
        opened: Any = [(result, Batched(right, wrong_at))]
        check_answers(opened, Path("images.npy"), {"resnet20_v1": right}, None, (1, 8, 512))
        assert result.agreement_percent == 100
        assert result.is_valid == (not reason) and reason in result.reason


def test_a_worker_answers_some_images_in_batches_as_it_answers_all(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "images.npy", pixels)
    worker = Worker(SETUP).until_open()
    try:
        everything = worker.classes(tmp_path / "images.npy")
        some = worker.classes(tmp_path / "images.npy", batch_size=4, count=8)
    finally:
        worker.close()
    assert some.tolist() == [*everything, *everything[:2]]


class PlantedWorker:
    """Says how long its runs took; its rounds are slow while the machine is disturbed."""

    def __init__(self, seconds: list[float], holds: bool = False):
        self.seconds = seconds
        self.holds = holds

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert self.holds or not asked.get("held")
        taken = self.seconds.pop(0)
        return {"seconds": taken, "latencies": [taken / 2] * 2}


def probe_of(readings: list[float]) -> LoadProbe:
    """A probe that reads these after its five first ones."""
    values = iter([1.0] * 5 + readings)
    return LoadProbe(lambda: next(values))


def test_a_slow_round_is_measured_again() -> None:
    result, worker = Result(SETUP), PlantedWorker([8.0, 1.0, 1.0])
    method = Method(batch_sizes=(4,), rounds=2, processes=1, seconds=1.0)
    # Quiet before and disturbed after the first measurement; quiet from then on.
    list(measure([(result, worker)], method, probe_of([1.0, 3.0, 1.0, 1.0, 1.1, 1.0])))  # type: ignore[list-item]
    assert result.rates == {4: [8.0, 8.0]} and result.disturbed == {}
    assert worker.seconds == []


def test_a_round_that_stays_disturbed_says_so() -> None:
    result, worker = Result(SETUP), PlantedWorker([2.0, 4.0, 8.0])
    method = Method(batch_sizes=(4,), rounds=1, processes=1, seconds=1.0)
    list(measure([(result, worker)], method, probe_of([3.0] * 3)))  # type: ignore[list-item]
    (row,) = result.rows([4])
    assert row["disturbed_rounds"] == 1 and row["images_per_second"] == 1.0


def test_every_core_is_probed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What else runs leaves one core to a probe of one; engines use them all."""
    together = threading.Barrier(5)
    monkeypatch.setattr(probing, "usable_cores", lambda: 5)
    monkeypatch.setattr(probing, "_piece", lambda: together.wait(timeout=60))
    assert fixed_work() > 0


def test_on_a_device_each_round_is_measured_with_copies_and_without() -> None:
    result, worker = Result(SETUP), PlantedWorker([2.0, 1.0, 4.0, 0.5], holds=True)
    method = Method(batch_sizes=(4,), rounds=2, processes=1, seconds=1.0)
    list(measure([(result, worker)], method, LoadProbe(lambda: 1.0)))  # type: ignore[list-item]
    (row,) = result.rows([4])
    assert row["rates"] == [4.0, 2.0] and row["images_per_second"] == 3.0
    assert row["images_per_second_without_copies"] == 12.0
    assert row["images_per_second_without_copies_low"] == 8.0
    assert cells(row)[4] == "3 (12 without copies)"
    assert speed_csv(StoredSpeed({}, "", {}, {}, (), (row,), "")).count("12.0") == 1


@pytest.mark.parametrize(
    ("readings", "disturbed"),
    [
        ([1.0] * 4, 0),
        ([1.0, 1.0, 3.0, 3.0, 3.0], 1),  # without copies only
        ([3.0, 3.0, 3.0, 1.0, 1.0], 1),  # with them only
        ([3.0] * 6, 1),  # both: one round
    ],
)
def test_a_round_disturbed_without_copies_counts_as_disturbed(
    readings: list[float], disturbed: int
) -> None:
    result, worker = Result(SETUP), PlantedWorker([1.0] * 6, holds=True)
    method = Method(batch_sizes=(4,), rounds=1, processes=1, seconds=1.0)
    list(measure([(result, worker)], method, probe_of(readings)))  # type: ignore[list-item]
    assert result.rows([4])[0]["disturbed_rounds"] == disturbed


def test_on_the_cpu_nothing_is_said_of_copies() -> None:
    result = Result(SETUP)
    method = Method(batch_sizes=(4,), rounds=1, processes=1, seconds=1.0)
    list(measure([(result, PlantedWorker([2.0]))], method, LoadProbe(lambda: 1.0)))  # type: ignore[list-item]
    (row,) = result.rows([4])
    assert not [name for name in row if "copies" in name] and cells(row)[4] == "4"


class OnItsDevice:
    """Takes pixels over on every run, and once where they stay."""

    name = "planted"

    def __init__(self) -> None:
        self.copied = self.answered = 0

    def run(self, images: np.ndarray) -> np.ndarray:
        self.copied += 1
        return np.zeros((len(images), 10), np.float32)

    def hold(self, images: np.ndarray) -> Callable[[], None]:
        self.copied += 1

        def answer() -> None:
            self.answered += 1

        return answer


@pytest.mark.parametrize("held", [False, True])
def test_a_worker_copies_once_where_images_stay(held: bool) -> None:
    model = OnItsDevice()
    told = _time(model, 8, {"batch_size": 2, "seconds": 0.01, "warm": False, "held": held})
    runs = len(told["latencies"])
    assert (model.copied, model.answered) == ((1, runs) if held else (runs, 0))


def test_a_worker_whose_asker_is_gone_ends_in_silence() -> None:
    """As when a measurement is interrupted while an engine opens."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.throughput.worker"], cwd=ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    worker.stdout.close()
    _, said = worker.communicate(json.dumps(SETUP.to_dict() | {"threads": 1}) + "\n", timeout=120)
    assert worker.returncode == 1 and "Traceback" not in said and "BrokenPipe" not in said


def test_engines_take_turns() -> None:
    turns: list[str] = []

    class Noting(PlantedWorker):
        def __init__(self, name: str):
            super().__init__([1.0] * 10)
            self.name = name

        def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
            turns.append(f"{self.name}{asked['batch_size']}{'w' if asked['warm'] else ''}")
            return super().ask(asked)

    opened = [(Result(SETUP), Noting("a")), (Result(SETUP), Noting("b"))]
    method = Method(batch_sizes=(1, 2), rounds=2, processes=1, seconds=1.0)
    list(measure(opened, method, LoadProbe(lambda: 1.0)))  # type: ignore[arg-type]
    assert turns == ["a1w", "b1w", "a1", "b1", "a2w", "b2w", "a2", "b2"]


def test_medians_and_percentiles_are_what_they_are_called() -> None:
    values = np.random.default_rng(1).normal(100, 5, 30).tolist()
    median, low, high = median_interval(values)
    theirs = stats.bootstrap(
        (values,), np.median, method="percentile", n_resamples=5000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert median == np.median(values)
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.6)
    assert samples_needed(0.99) == 662
    assert percentiles([1.0] * 661)["p99_ms"] is None and percentiles([1.0] * 662)["p99_ms"] == 1.0


def test_three_processes_have_an_interval_over_their_medians() -> None:
    """Student's t on logarithms; an interrupted process has fewer rounds, and counts as much."""
    processes = [(90.0, 110.0), (130.0, 120.0), (100.0,)]
    values = [rate for each in processes for rate in each]
    starts = [at for at, each in enumerate(processes, start=1) for _ in each]
    medians = [np.log(np.median(each)) for each in processes]
    low, high = np.exp(stats.t.interval(0.95, 2, np.mean(medians), stats.sem(medians)))
    found = spread_of(values, starts)
    assert found is not None and found.kind == INTERVAL
    assert (found.low, found.high) == pytest.approx((low, high))
    assert rate_of(values, starts) == pytest.approx(stats.gmean(np.exp(medians)))
    assert rate_of(values) == rate_of(values, [1, 1, 2, 2, 2]) == 110.0


def test_ninety_five_of_a_hundred_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(7)
    starts = np.repeat([1, 2, 3], 3)
    drawn = rng.normal(0, 0.03, (600, 3)).repeat(3, axis=1) + rng.normal(0, 0.01, (600, 9))
    found = [spread_of(np.exp(each).tolist(), starts.tolist()) for each in drawn]
    held = np.mean([spread is not None and spread.low <= 1 <= spread.high for spread in found])
    told = [rate_of(np.exp(each).tolist(), starts.tolist()) for each in drawn]
    assert all(
        each and each.low <= rate <= each.high for each, rate in zip(found, told, strict=True)
    )
    assert held == pytest.approx(0.95, abs=0.03)


def test_few_processes_have_a_range_and_one_round_has_nothing() -> None:
    assert spread_of([3.0, 1.0, 2.0]) == Spread(1.0, 3.0, RANGE)
    assert spread_of([3.0, 1.0, 2.0], [1, 2, 2]) == Spread(1.0, 3.0, RANGE)
    assert spread_of([3.0]) is None


def test_rows_say_what_kind_of_spread_they_hold() -> None:
    result = Result(SETUP)
    values = [1.0] * 20 + [2.0] * 20 + [3.0] * 20
    result.rates = {1: values, 4: [1.0, 2.0], 8: [5.0]}
    result.held_rates = {1: [10 * value for value in values]}
    result.starts = {1: [1] * 20 + [2] * 20 + [3] * 20 + [3], 4: [1, 2], 8: [1]}  # interrupted
    result.latencies_ms = {1: [1.0], 4: [1.0], 8: [1.0]}
    many, few, one = result.rows([1, 4, 8])
    assert many["images_per_second_spread"] == INTERVAL and len(many["starts"]) == 60
    assert many["images_per_second_low"] < 1.0 and many["images_per_second_high"] > 3.0
    low = many["images_per_second_without_copies_low"]
    assert low == pytest.approx(10 * many["images_per_second_low"])
    assert spread_in_words(few) == "range 1 to 2" and spread_in_words(one) == "one round"
    assert one["images_per_second"] == 5.0 and one["images_per_second_high"] is None


def test_a_row_without_a_median_says_none() -> None:
    row = {
        "model": "resnet20_v1", "engine": "pytorch-eager", "precision": "fp32", "threads": 1,
        "batch_size": 512, "valid": True, "images_per_second": 100.0, "images_per_second_low": 90.0,
        "images_per_second_high": 110.0, "p50_ms": None, "disturbed_rounds": 1,
    }  # fmt: skip
    line = as_table([row])
    assert line.endswith("100 images/s (range 90 to 110), 1 round disturbed")


def test_setups_are_every_combination() -> None:
    setups = plan_setups(["resnet20_v1"], ["openvino-cpu", "onnxruntime-cpu:fp32"], ["1", "all"])
    assert [(s.choice.key, s.threads) for s in setups] == [
        ("openvino-cpu:fp32", 1), ("openvino-cpu:fp32", 0), ("openvino-cpu:bf16", 1),
        ("openvino-cpu:bf16", 0), ("openvino-cpu:int8", 1), ("openvino-cpu:int8", 0),
        ("onnxruntime-cpu:fp32", 1), ("onnxruntime-cpu:fp32", 0),
    ]  # fmt: skip
    for words in ({"threads": ["none"]}, {"engines": ["abacus"]}):
        with pytest.raises(ConfigError):
            plan_setups(["resnet20_v1"], words.get("engines", ["all"]), words.get("threads", ["1"]))


def test_what_is_said_twice_is_measured_once() -> None:
    setups = plan_setups(["a", "a"], ["openvino-cpu", "openvino-cpu:fp32"], ["1", "1"])
    assert [s.choice.key for s in setups] == [f"openvino-cpu:{p}" for p in ("fp32", "bf16", "int8")]
    assert plan_setups(["a"], ["all", "openvino-cpu"], ["1"]) == plan_setups(["a"], ["all"], ["1"])
    assert SpeedSettings(batch_sizes=("8", "1", "8")).method().batch_sizes == (8, 1)


@pytest.mark.parametrize("said", ["²", "0", "-1", "1.5", "1025", "99999999999999999999", ""])
def test_threads_are_what_a_machine_can_have(said: str) -> None:
    with pytest.raises(ConfigError, match="Threads are a number from 1 to 1024, or all"):
        parse_threads(said)


def test_settings_that_never_end_or_are_no_numbers_are_refused() -> None:
    for seconds in (float("inf"), float("nan"), 0, -1):
        with pytest.raises(ConfigError, match="--seconds should be more than 0 and finite"):
            SpeedSettings(seconds=seconds).method()
        with pytest.raises(ConfigError, match="--seconds should be more than 0 and finite"):
            check_rounds(1, seconds)
    with pytest.raises(ConfigError, match="whole numbers from 1, not 2²"):
        SpeedSettings(batch_sizes=("2²",)).method()


def test_an_engine_that_fails_says_why_and_can_be_asked_again() -> None:
    worker = Worker(SETUP).until_open()
    try:
        with pytest.raises(LabError, match=r"failed while it was asked .*allocate"):
            worker.ask({"batch_size": 10**12, "seconds": 0.01, "warm": False})
        assert worker.ask({"batch_size": 1, "seconds": 0.01, "warm": False})["latencies"]
    finally:
        worker.close()


def test_engines_open_side_by_side_but_for_those_that_time_kernels(monkeypatch) -> None:
    told: list[str] = []

    class Planted:
        def __init__(self, setup: Setup):
            self.name = setup.choice.engine.key
            told.append(f"start {self.name}")

        def until_open(self) -> Planted:
            told.append(f"open {self.name}")
            if self.name == "openvino-cpu":
                raise ModelError("it can't be opened")
            return self

        def let_go(self) -> None:
            told.append(f"end {self.name}")

        def close(self) -> None:
            told.append(f"close {self.name}")

    monkeypatch.setattr(measurement, "Worker", Planted)
    engines = ("onnxruntime-tensorrt", "onnxruntime-cpu", "openvino-cpu")
    results = [
        Result(Setup("resnet20_v1", Choice(ENGINES[key], "fp32", None), 0)) for key in engines
    ]
    with workers(results) as opened:
        assert [result.name for result, _ in opened] == ["onnxruntime-cpu", "onnxruntime-tensorrt"]
    assert results[2].reason == "it can't be opened"
    alone = "onnxruntime-tensorrt"
    assert told[:4] == [f"{w} {e}" for w in ("start", "open") for e in engines[1:]]
    assert told[4:8] == [f"start {alone}", f"open {alone}", "end onnxruntime-cpu", f"end {alone}"]
    assert sorted(told[8:]) == sorted(f"close {key}" for key in engines)


def test_the_reference_is_computed_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU would round its convolutions to TF32, and be held against itself."""
    seen: list[str | None] = []

    def popen(*_: object, env: dict[str, str], **__: object) -> None:
        seen.append(env.get("CUDA_VISIBLE_DEVICES"))
        raise InterruptedError

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(InterruptedError):
        reference_classes("resnet20_v1", Path("images.npy"))
    assert seen == [""]
