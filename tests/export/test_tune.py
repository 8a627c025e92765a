"""The engine that answers: measured once, chosen among those that agree, forced, planned with."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export import tune as tuning
from export.catalogue import find_exported
from export.classifier import classify, open_engine
from export.engines.catalogue import ENGINES, Choice
from export.engines.interface import Obstacle, cannot_answer
from export.gate import Gate, find_gate
from export.plan import Limits, Option, options_of, plan
from export.plan_commands import _should_measure
from export.session import OnnxSession
from export.tune import tune
from export.tuned import Tuned, cache_file, engine_for, environment, read_tuned
from resnet_core.errors import ConfigError, ModelError

EXPORTED = find_exported("resnet20_v1")
PICTURE = Path("ui/classify/examples/ship.jpg")


class Wrong:
    """The planted engine: quick, and every answer one class off."""

    name = "Planted, wrong"

    def __init__(self) -> None:
        self.session = OnnxSession(EXPORTED.file, "cpu")

    def run(self, images: np.ndarray) -> np.ndarray:
        return np.roll(self.session.run(images)[1], 1, axis=1)


class Ending:
    """An engine that fails once it has answered the gate, as where a training takes the memory."""

    name = "Planted, ending"

    def __init__(self) -> None:
        self.session = OnnxSession(EXPORTED.file, "cpu")

    def run(self, images: np.ndarray) -> np.ndarray:
        if len(images) == 1:
            raise cannot_answer(self.name, MemoryError("no\n  room"))
        return self.session.run(images)[1]


class Silent:
    """An engine that opens and can't answer."""

    name = "Planted, silent"

    def run(self, images: np.ndarray) -> np.ndarray:
        raise cannot_answer(self.name, MemoryError("no room"))


class WrongAlone(Wrong):
    """Right in batches, as an engine that has a program for each size may be."""

    name = "Planted, wrong alone"

    def run(self, images: np.ndarray) -> np.ndarray:
        return super().run(images) if len(images) == 1 else self.session.run(images)[1]


@pytest.fixture(autouse=True)
def own_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    monkeypatch.delenv("RESNET_LAB_ENGINE", raising=False)
    monkeypatch.setattr(tuning, "SAMPLES", 10)


@pytest.fixture
def gate(shapes) -> Gate:
    return Gate(shapes.test.images[:256].numpy(), None, "256 drawn pictures")


def choices(*keys: str) -> list[Choice]:
    engines = [ENGINES[key] for key in keys]
    return [Choice(engine, "fp32", engine.obstacle("fp32")) for engine in engines]


def test_what_was_measured_is_used_and_a_changed_file_is_measured_again(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_tuned(EXPORTED.file) is None and engine_for(EXPORTED.file) == ""
    monkeypatch.setattr(
        tuning, "list_choices", lambda with_pytorch: choices("onnxruntime-cpu", "openvino-cpu")
    )
    assert any("timing" in line for line in list(tune(EXPORTED, gate)))
    found = read_tuned(EXPORTED.file)
    assert found is not None and found.gate == "256 drawn pictures"
    rows = {row["engine"]: row for row in found.rows}
    assert rows.keys() == {"onnxruntime-cpu", "openvino-cpu"}
    valid = {key: row for key, row in rows.items() if row["valid"]}
    assert found.chosen.split(":")[0] == min(valid, key=lambda key: valid[key]["p50_ms"])
    assert all(row["p99_ms"] is None for row in rows.values()), "50 samples tell no 99th percentile"
    assert engine_for(EXPORTED.file) == found.chosen
    title = ENGINES[found.chosen.split(":")[0]].title.split(",")[0]
    assert title in classify(PICTURE, "resnet20_v1").engine
    # Another machine or another library: nothing is known of it.
    with monkeypatch.context() as patch:
        patch.setattr("export.tuned.os.cpu_count", lambda: 999)
        assert read_tuned(EXPORTED.file) is None
    with monkeypatch.context() as patch:  # fewer cores of the same machine, as by taskset
        patch.setattr("export.tuned.usable_cores", lambda: 1000)
        assert read_tuned(EXPORTED.file) is None
    with monkeypatch.context() as patch:  # a GPU that was put in, then hidden
        patch.setattr("export.tuned.has_nvidia_gpu", lambda: True)
        assert read_tuned(EXPORTED.file) is None
        seen = environment()
        patch.setenv("CUDA_VISIBLE_DEVICES", "")
        assert environment() != seen
    assert read_tuned(EXPORTED.file) is not None
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # fewer threads: another speed
    assert read_tuned(EXPORTED.file) is None


def test_a_planted_wrong_engine_is_never_chosen(gate: Gate, monkeypatch) -> None:
    wrong = replace(ENGINES["openvino-cpu"], key="planted", open=lambda *_: Wrong())
    absent = replace(
        ENGINES["openvino-cpu"], key="absent", obstacle=lambda _: Obstacle("it was taken away")
    )
    planted = [Choice(wrong, "fp32", None), Choice(absent, "fp32", absent.obstacle("fp32"))]
    monkeypatch.setattr(
        tuning, "list_choices", lambda with_pytorch: [*planted, *choices("onnxruntime-cpu")]
    )
    list(tune(EXPORTED, gate))
    found = read_tuned(EXPORTED.file)
    assert found is not None and found.chosen == "onnxruntime-cpu:fp32"
    rows = {row["engine"]: row for row in found.rows}
    assert not rows["planted"]["valid"] and "of its answers" in rows["planted"]["reason"]
    assert rows["planted"]["p50_ms"] is None and rows["planted"]["images_per_second"] is None
    assert rows["absent"]["reason"] == "it was taken away"


def row_of_planted(model: Any, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is found of an engine that opens this model, beside ONNX Runtime, which is chosen."""
    engine = replace(ENGINES["openvino-cpu"], key="planted", open=lambda *_: model)
    planted = [Choice(engine, "fp32", None), *choices("onnxruntime-cpu")]
    monkeypatch.setattr(tuning, "list_choices", lambda with_pytorch: planted)
    list(tune(EXPORTED, gate))
    found = read_tuned(EXPORTED.file)
    assert found is not None and found.chosen == "onnxruntime-cpu:fp32"
    (row,) = [row for row in found.rows if row["engine"] == "planted"]
    return row


def test_an_engine_that_is_wrong_one_picture_at_a_time_is_never_chosen(gate, monkeypatch) -> None:
    row = row_of_planted(WrongAlone(), gate, monkeypatch)
    assert row["agreement_percent"] == 100 and not row["valid"]
    assert "200 of 200 pictures asked one at a time" in row["reason"]


def test_without_the_exact_answers_no_engine_is_judged(gate: Gate, monkeypatch) -> None:
    """Else the next engine's own answers would be what all are held against."""
    failing = replace(ENGINES["onnxruntime-cpu"], open=lambda *_: Silent())
    planted = [Choice(failing, "fp32", None), *choices("openvino-cpu")]
    monkeypatch.setattr(tuning, "list_choices", lambda with_pytorch: planted)
    with pytest.raises(ModelError, match="no room"):
        list(tune(EXPORTED, gate))
    assert read_tuned(EXPORTED.file) is None


def test_an_engine_that_fails_leaves_the_others_measured(gate: Gate, monkeypatch) -> None:
    row = row_of_planted(Ending(), gate, monkeypatch)
    assert not row["valid"]
    assert row["reason"] == "Planted, ending failed (no room): choose another engine."


def test_an_engine_that_adds_error_is_not_used_however_often_it_agrees(shapes) -> None:
    images = shapes.test.images[:1000].numpy()
    exact = OnnxSession(EXPORTED.file, "cpu").run(images)[1].argmax(1)
    candidate = tuning.Candidate(choices("onnxruntime-cpu")[0])
    off = exact.copy()
    off[:4] = (off[:4] + 1) % 10
    tuning._judge(candidate, off, exact, exact)
    assert candidate.agreement_percent == pytest.approx(99.6)
    assert "adds 0.40 points" in candidate.reason


def test_a_damaged_cache_counts_as_nothing(gate: Gate) -> None:
    file = cache_file(EXPORTED.file)
    file.parent.mkdir(parents=True)
    for text in ("", "{", '{"format": "resnet-lab-engines-1"}', "[]", '{"format": "other"}'):
        file.write_text(text)
        assert read_tuned(EXPORTED.file) is None
        assert open_engine("resnet20_v1").name.startswith("ONNX Runtime")


def test_an_engine_can_be_forced_for_a_whole_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_LAB_ENGINE", "openvino-cpu:fp32")
    assert classify(PICTURE, "resnet20_v1").engine.startswith("OpenVINO")
    assert classify(PICTURE, "resnet20_v1", "onnxruntime-cpu").engine.startswith("ONNX Runtime")
    monkeypatch.setenv("RESNET_LAB_ENGINE", "abacus")
    with pytest.raises(ConfigError, match="no engine named 'abacus'"):
        classify(PICTURE, "resnet20_v1")


def test_the_gate_is_the_models_own_test_images_or_said_not_to_be(
    data_folder: Path, tmp_path: Path
) -> None:
    facts = OnnxSession(EXPORTED.file, "cpu").facts
    own = find_gate(facts, data_folder)
    assert own.labels is not None and own.images.shape == (10_000, 32, 32, 3)
    drawn = find_gate(facts, tmp_path)
    assert drawn.labels is None and "cifar10 is not here" in drawn.said


def test_a_net_for_photos_is_held_against_drawn_pictures_of_its_size(tmp_path: Path) -> None:
    facts = replace(OnnxSession(EXPORTED.file, "cpu").facts, data="imagenet", input_size=224)
    gate = find_gate(facts, tmp_path)
    assert gate.images.shape == (400, 224, 224, 3) and gate.images.dtype == np.uint8
    assert gate.labels is None and "imagenet is not here" in gate.said
    # Each is the drawn picture, enlarged.
    small = find_gate(replace(facts, input_size=32), tmp_path).images[:400]
    shrunk = gate.images.reshape(400, 32, 7, 32, 7, 3).mean(axis=(2, 4))
    assert np.abs(shrunk - small).mean() < 6


def row(engine: str, p99: float | None, error: float | None, valid: bool = True) -> dict:
    return {
        "engine": engine, "precision": "fp32", "valid": valid, "p99_ms": p99,
        "test_error_percent": error, "images_per_second": 1000.0,
    }  # fmt: skip


def test_a_plan_is_the_best_within_the_limits_or_says_what_comes_near() -> None:
    measured = [
        Tuned("deep", (row("slow", 9, 6), row("quick", 4, 6), row("wrong", 1, 6, False)), "", {}, ""),
        Tuned("small", (row("slow", 3, 8), row("quick", 1, 8), row("unsure", None, 8)), "", {}, ""),
    ]  # fmt: skip
    options = options_of(measured)
    assert {(o.model, o.engine) for o in options} == {
        ("deep", "slow:fp32"), ("deep", "quick:fp32"), ("small", "slow:fp32"), ("small", "quick:fp32"),
    }  # fmt: skip
    assert plan(options, Limits(10, 10)) == Option("deep", "quick:fp32", 4, 6, 1000)
    assert plan(options, Limits(3.5, 10)).model == "small"
    with pytest.raises(ModelError, match=r"quickest is small on quick:fp32: 1\.00 ms"):
        plan(options, Limits(2, 7))
    with pytest.raises(ModelError, match=r"Both the quickest and the best is deep on slow:fp32: 9"):
        plan(options[:1], Limits(2, 7))
    with pytest.raises(ModelError, match="python -m export tune"):
        plan([], Limits(2, 7))


def test_commands_tune_and_plan(run_module, tmp_path: Path) -> None:
    """The real command, on drawn pictures: nothing is fetched for it."""
    places = {"RESNET_LAB_RUNS": str(tmp_path), "RESNET_LAB_DATA": str(tmp_path)}
    unmeasured = run_module("export", "plan", "--latency-ms", 5, "--error", 10, **places)
    assert unmeasured.returncode == 2 and "python -m export tune" in unmeasured.stderr
    done = run_module("export", "tune", "resnet20_v1", "--json", **places)
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout)
    assert found["chosen"] and "drawn pictures" in found["gate"]
    again = run_module("export", "tune", "resnet20_v1", **places)
    assert f"* {found['chosen']}" in again.stdout
    used = run_module("export", "classify", PICTURE, "--json", **places)
    runs = {f"{r['engine']}:{r['precision']}": r["runs"] for r in found["rows"]}
    assert json.loads(used.stdout)[0]["engine"] == runs[found["chosen"]]
    for latency in (0, -1, "nan"):
        refused = run_module("export", "plan", "--latency-ms", latency, "--error", 1, **places)
        assert refused.returncode == 2 and "should be more than 0" in refused.stderr


def test_what_was_measured_without_test_images_is_measured_again_with_them(
    gate: Gate, data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a plan would have no errors to go by, and no command to get them."""
    assert _should_measure(EXPORTED, tmp_path), "nothing was measured"
    monkeypatch.setattr(tuning, "list_choices", lambda with_pytorch: choices("onnxruntime-cpu"))
    list(tune(EXPORTED, gate))
    assert not _should_measure(EXPORTED, tmp_path)
    assert _should_measure(EXPORTED, data_folder)
    list(tune(EXPORTED, replace(gate, labels=np.zeros(len(gate.images), np.int64))))
    assert not _should_measure(EXPORTED, data_folder)
