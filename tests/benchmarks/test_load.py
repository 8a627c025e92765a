"""Latency against load: LoadGen asks, every answer is for its sample, a failure is a sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from benchmarks.__main__ import main
from benchmarks.commands import add_commands
from benchmarks.load import commands, loadgen, measure
from benchmarks.load.logs import read_answers
from benchmarks.load.samples import Samples
from benchmarks.load.scenarios import MULTI_STREAM, OFFLINE, SCENARIOS, SERVER, SINGLE_STREAM
from benchmarks.load.settings import LoadSettings
from benchmarks.load.stored import highest_loads, read_load
from benchmarks.load.system import System
from benchmarks.load.worker import Answers, Asked
from benchmarks.throughput.cases import Setup
from benchmarks.throughput.probe import LoadProbe
from export.engines.catalogue import find_choice
from resnet_core.errors import ConfigError, LabError
from resnet_core.zoo import find_in_zoo
from tests.benchmarks.load_engines import Echo, Rolling, numbered_images
from tests.benchmarks.load_runs import SETTINGS, run_of
from tests.conftest import ROOT

SETUP = Setup("resnet20_v1", find_choice("onnxruntime-cpu"), 0)
STEADY = LoadProbe(lambda: 1.0)


def raise_on(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_answer_is_for_the_sample_that_loadgen_asked(scenario: str, tmp_path: Path) -> None:
    model = Echo()
    images = Samples(numbered_images(300))
    system = loadgen.drive(run_of(scenario), model, images, 0.0005, tmp_path, raise_on)
    samples, answers = read_answers(tmp_path)
    assert len(samples) == system.asked == sum(model.sizes) >= 20
    assert len(set(samples.tolist())) > 10
    assert (answers[:, 0] + 256 * answers[:, 1] == samples).all()
    assert max(model.sizes) <= {SINGLE_STREAM: 1, MULTI_STREAM: 8}.get(scenario, 4)


def test_answers_for_the_wrong_samples_do_not_count(tmp_path: Path) -> None:
    images = numbered_images(256)
    images[:, 0, 0, 1] = 255 - images[:, 0, 0, 0]
    expected = images[:, 0, 0, :2].argmax(1)
    for model, is_right in ((Echo(), True), (Rolling(), False)):
        logs = tmp_path / type(model).__name__
        logs.mkdir()
        asked = Asked(model, images, expected)
        figures = asked.run(run_of(OFFLINE, seconds=0.05), logs, Answers(sys.stderr))
        assert (figures["agreement_percent"] == 100) is is_right
        if not is_right:
            assert not figures["valid"] and "for the image that was asked" in figures["reason"]


def test_what_waits_is_answered_together_and_in_order() -> None:
    answered: list[list[int]] = []
    go_on, was_called = Event(), Event()

    class Held(Echo):
        def run(self, images: np.ndarray) -> np.ndarray:
            was_called.set()
            go_on.wait(60)
            return super().run(images)

    model, samples = Held(), Samples(numbered_images(9))
    samples.load(range(9))
    system = System(model, samples, 4, 0.0, lambda q, _: answered.append(list(q)), raise_on)
    system.issue([(10, 0)])
    was_called.wait(60)
    system.issue([(11 + place, place) for place in range(6)])
    go_on.set()
    system.close()
    assert answered == [[10], [11, 12, 13, 14], [15, 16]] and system.calls == 3


def test_an_image_waits_for_others_as_long_as_it_may() -> None:
    model, samples = Echo(), Samples(numbered_images(9))
    samples.load(range(9))
    full = System(model, samples, 3, 3_600_000.0, lambda *_: None, raise_on)
    for number in range(3):
        full.issue([(number, number)])
    full.close()
    alone = System(model, samples, 3, 1.0, lambda *_: None, raise_on)
    alone.issue([(0, 0)])
    alone.close()
    assert model.sizes == [3, 1]


def test_samples_are_in_memory_between_load_and_unload() -> None:
    samples = Samples(numbered_images(20))
    samples.load([7, 3, 7])
    samples.load([11])
    assert samples.take([11, 3, 3])[:, 0, 0, 0].tolist() == [11, 3, 3]
    samples.unload([3, 11])
    assert samples.take([7])[0, 0, 0, 0] == 7
    with pytest.raises(KeyError):
        samples.take([3])


def test_an_engine_that_fails_while_it_is_asked_gives_its_reason(tmp_path: Path) -> None:
    program = (
        "import json, sys; from pathlib import Path; from benchmarks.load.loadgen import drive; "
        "from benchmarks.load.samples import Samples; from benchmarks.load.scenarios import Run; "
        "from benchmarks.load.worker import Answers; from tests.benchmarks.load_engines import *; "
        "run, samples = Run(**json.loads(sys.argv[1])), Samples(numbered_images(50)); "
        "drive(run, Failing(), samples, 0.001, Path(sys.argv[2]), Answers(sys.stdout).fail)"
    )
    run = json.dumps(vars(run_of(SERVER, queries_per_second=2000.0)))
    done = subprocess.run(
        [sys.executable, "-c", program, run, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "failed while it was asked (out of memory)" in json.loads(done.stdout)["error"]


def only_one_image(source: Path, target: Path) -> None:
    """The same net, which fails on more than one image at a time."""
    model = onnx.load(source)
    model.graph.initializer.append(numpy_helper.from_array(np.array([1, 10]), "one"))
    for node in model.graph.node:
        node.output[:] = ["many" if name == "probabilities" else name for name in node.output]
    model.graph.node.append(helper.make_node("Reshape", ["many", "one"], ["probabilities"]))
    onnx.save(model, target)


def test_a_failed_run_does_not_end_the_others(tmp_path: Path) -> None:
    only_one_image(find_in_zoo("resnet20_v1").onnx_file, tmp_path / "one.onnx")
    np.save(tmp_path / "images.npy", np.zeros((4, 32, 32, 3), np.uint8))
    np.save(tmp_path / "expected.npy", np.zeros(4, np.int64))
    setup = replace(SETUP, model=str(tmp_path / "one.onnx"))
    names = f"{SINGLE_STREAM},{MULTI_STREAM},{SINGLE_STREAM}"
    rows = list(measure.measure(setup, replace(SETTINGS, scenarios=names), tmp_path, STEADY))
    assert [row["scenario"] for row in rows] == names.split(",")
    assert rows[1]["p50_ms"] is None and not rows[1]["valid"]
    assert rows[1]["reason"].startswith("the engine failed while it was asked")
    assert rows[0]["p50_ms"] > 0 and rows[2]["p50_ms"] > 0


def test_a_process_ends_when_nobody_is_left_to_answer(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((4, 32, 32, 3), np.uint8))
    np.save(tmp_path / "expected.npy", np.zeros(4, np.int64))
    files = {key: str(tmp_path / f"{key}.npy") for key in ("images", "expected")}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load.worker"], cwd=ROOT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin and process.stdout
    print(json.dumps(SETUP.to_dict() | {"threads": 0} | files), file=process.stdin, flush=True)
    assert "ONNX Runtime" in json.loads(process.stdout.readline())["name"]
    endless = vars(run_of(SINGLE_STREAM, seconds=100_000.0))
    print(json.dumps({"run": endless, "logs": str(tmp_path)}), file=process.stdin, flush=True)
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()


class Planted:
    """A worker that can serve 100 images a second, and whose library crashes once offline."""

    name = "planted"
    opened = 0
    asked: tuple[str, ...] = ()

    def __init__(self, setup: Setup, module: str, variables: None, **files: str):
        Planted.opened += 1

    def until_open(self) -> Planted:
        return self

    def ask(self, told: dict[str, Any]) -> dict[str, Any]:
        run = told["run"]
        Planted.asked += (run["scenario"],)
        if Planted.asked == (OFFLINE,):
            raise LabError("its process ended with status -11")
        load = run["queries_per_second"] or 100.0
        return measure.NO_FIGURES | {
            "achieved_images_per_second": min(load, 100.0),
            "samples": 1000,
            "saturated": load > 100,
            "valid": load <= 100,
            "reason": None,
            "mean_images_per_call": 1.0,
        }

    def close(self) -> None:
        pass


def test_loads_go_up_until_the_server_cannot_keep_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(measure, "Worker", Planted)
    settings = LoadSettings(scenarios=f"{OFFLINE},{SERVER}")
    crashed, *rows = measure.measure(SETUP, settings, tmp_path, STEADY)
    assert "status -11" in crashed["reason"] and Planted.opened == 2
    loads = [row["offered_queries_per_second"] for row in rows]
    assert loads == [5, 10, 20, 35, 50, 65, 80, 90, 100, 110]
    assert highest_loads([crashed, *rows]) == [rows[-2]]
    given = replace(settings, queries_per_second="500, 50,200")
    rows = list(measure.measure(SETUP, replace(given, scenarios=SERVER), tmp_path, STEADY))
    assert [row["offered_queries_per_second"] for row in rows] == [50, 200, 500]
    assert [row["saturated"] for row in rows] == [False, True, None]
    assert rows[2]["reason"] == "not tried: it could not keep up with 200 queries/s"


class HeldUp(Planted):
    """Something else keeps it from keeping up with its first run; it does by itself."""

    runs = 0

    def ask(self, told: dict[str, Any]) -> dict[str, Any]:
        HeldUp.runs += 1
        return super().ask(told) | ({"saturated": True} if HeldUp.runs == 1 else {})


def test_a_server_that_something_else_held_up_is_asked_again(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(measure, "Worker", HeldUp)
    settings = LoadSettings(scenarios=SERVER, queries_per_second="50,80,500")
    readings = iter([*[1.0] * 5, 1.0, 3.0, *[1.0] * 6])  # disturbed behind the first run
    rows = list(measure.measure(SETUP, settings, tmp_path, LoadProbe(lambda: next(readings))))
    assert [row["saturated"] for row in rows] == [False, False, True]
    assert not any(row["disturbed"] for row in rows) and HeldUp.runs == 4


class Interrupted(Planted):
    """The person who asked presses Ctrl-C during the second run."""

    file = Path()
    found: dict[str, Any] | None = None

    def ask(self, told: dict[str, Any]) -> dict[str, Any]:
        if told["run"]["scenario"] == SERVER:
            Interrupted.found = read_load(Interrupted.file)
            raise KeyboardInterrupt
        return super().ask(told)


def test_a_page_can_watch_the_file_and_an_interrupt_loses_no_row(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(measure, "Worker", Interrupted)
    monkeypatch.setattr(commands, "_prepare", lambda *_: None)
    Interrupted.file = tmp_path / "out.json"
    words = ["--scenarios", f"{MULTI_STREAM},{SERVER}", "--queries-per-second", "10"]
    assert main(["load", *words, "--json", str(Interrupted.file)]) == 130
    watched = Interrupted.found
    assert watched and not watched["finished"]
    assert [row["scenario"] for row in watched["rows"]] == [MULTI_STREAM]
    assert read_load(Interrupted.file) == watched
    assert capsys.readouterr().err.endswith("Interrupted.\n")


def test_without_loadgen_a_sentence_says_how_to_get_it(monkeypatch, capsys) -> None:
    monkeypatch.setattr(loadgen, "find_spec", lambda name: None)
    assert main(["load"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and "not installed" in told
    assert "python -m pip install mlcommons-loadgen" in told


def test_all_problems_are_told_at_once_and_a_command_asks_the_same_again() -> None:
    with pytest.raises(ConfigError) as error:
        LoadSettings(seconds=0, batch_size=0, scenarios="crowd", queries_per_second="many")
    assert len(error.value.problems) == 4
    import argparse
    import shlex

    parser = argparse.ArgumentParser()
    add_commands(parser.add_subparsers())
    asked = LoadSettings(engine="openvino-cpu:bf16", queries_per_second="10,50", batch_wait_ms=2.5)
    options = parser.parse_args(shlex.split(asked.command)[3:])
    assert LoadSettings(**{f.name: getattr(options, f.name) for f in fields(asked)}) == asked


def test_numbers_that_loadgen_cannot_take_are_refused() -> None:
    inf = float("inf")
    with pytest.raises(ConfigError) as error:
        LoadSettings(
            seconds=inf, latency_bound_ms=inf, batch_wait_ms=inf, seed=2**64,
            queries_per_second="1e300",
        )  # fmt: skip
    assert len(error.value.problems) == 5


def test_all_scenarios_from_the_command_line(run_module, tmp_path: Path, data_folder: Path) -> None:
    done = run_module(
        "benchmarks", "load", "--engine", "onnxruntime-cpu,onnxruntime-cuda", "--seconds", 0.3,
        "--min-queries", 20, "--queries-per-second", 10, "--batch-size", 4, "--images", 50,
        "--data-folder", data_folder, "--json", tmp_path / "out.json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Not an MLPerf result: " in done.stdout.splitlines()[-1]
    stored = read_load(tmp_path / "out.json")
    assert stored["finished"] and stored["label"] == "Not an MLPerf result"
    assert stored["environment"]["loadgen"] and stored["environment"]["torch"]
    rows = {row["scenario"]: row for row in stored["rows"] if row["engine"] == "onnxruntime-cpu"}
    assert tuple(rows) == SCENARIOS
    for row in rows.values():
        assert row["agreement_percent"] == 100 and row["achieved_images_per_second"] > 0
        assert row["precision"] == "fp32" and row["threads"] == "all" and "CPU" in row["runs"]
        assert row["valid"] or row["reason"]
        if row["samples"] < 662:
            assert row["p99_ms"] is None
        if row["scenario"] != OFFLINE:
            assert row["samples"] >= 20 and row["p50_ms"] > 0
    assert rows[OFFLINE]["p50_ms"] is None and rows[OFFLINE]["achieved_queries_per_second"] is None
    assert rows[SERVER]["offered_queries_per_second"] == 10
    assert rows[SERVER]["batching"]["most_images"] == 4
    missing = [row for row in stored["rows"] if row["engine"] == "onnxruntime-cuda"]
    assert len(missing) == 4
    assert all(row["valid"] or row["reason"] for row in missing)
