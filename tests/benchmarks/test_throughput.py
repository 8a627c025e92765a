"""The throughput benchmark: wrong answers and disturbed rounds are caught, engines take turns."""

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

from benchmarks.throughput import measure as measurement
from benchmarks.throughput import probe as probing
from benchmarks.throughput.answers import check_answers
from benchmarks.throughput.cases import Setup
from benchmarks.throughput.measure import ROOT, Result, Worker, measure, workers
from benchmarks.throughput.probe import LoadProbe, fixed_work
from benchmarks.throughput.reference import reference_classes
from benchmarks.throughput.report import cells, speed_csv
from benchmarks.throughput.settings import Method
from benchmarks.throughput.stored import StoredSpeed
from benchmarks.throughput.worker import _time
from export.engines.catalogue import ENGINES, Choice, find_choice
from resnet_core.errors import LabError, ModelError
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
