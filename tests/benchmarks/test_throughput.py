"""The throughput benchmark: wrong answers and disturbed rounds are caught; rows say what was run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from scipy import stats

from benchmarks.throughput.cases import Setup, plan_setups
from benchmarks.throughput.measure import Result, measure
from benchmarks.throughput.probe import LoadProbe
from benchmarks.throughput.settings import Method
from benchmarks.throughput.summary import median_interval
from export.engines.catalogue import find_choice
from export.latency import percentiles, samples_needed
from resnet_core.errors import ConfigError
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


class PlantedWorker:
    """Says how long its runs took; its rounds are slow while the machine is disturbed."""

    def __init__(self, seconds: list[float]):
        self.seconds = seconds

    def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
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
