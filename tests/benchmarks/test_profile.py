"""Layers' times: planted profiles read back, sums by hand, real engines against the net's own layers."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.roofline.layer_times import summarise
from export.catalogue import find_exported
from export.engines.catalogue import ENGINES, find_choice
from export.engines.layer_names import layer_finder
from export.engines.profile import Operation, ProfiledRun
from export.engines.profile_onnxruntime import read_events
from export.engines.profile_openvino import _mean_run
from resnet_core.models.saved import load_model
from resnet_core.training.find import find_weights_beside

FILE = find_exported("resnet20_v1").file
CONVOLUTIONS = {"onnxruntime-cpu": "Conv", "openvino-cpu": "Convolution", "pytorch-eager": "conv2d"}


def run(whole: float, **times: float) -> ProfiledRun:
    operations = [Operation(name, name[0] * 2, name[0], ms) for name, ms in times.items()]
    return ProfiledRun(whole, tuple(operations))


def test_medians_by_operation_and_layer_add_up() -> None:
    found = summarise(
        [run(10, a1=1, a2=2, b1=4), run(12, a1=3, a2=2, b1=6), run(99, a1=2, a2=90, b1=5)]
    )
    assert [row["ms"] for row in found["operations"]] == [2, 2, 5]
    assert [(row["layer"], row["ms"]) for row in found["layers"]] == [("aa", 4), ("bb", 5)]
    assert found["outside_ms"] == 2 and found["run_ms"] == 12  # outside: 3, 1, 2
    assert found["sum_ms"] == 11
    shares = [row["share_percent"] for row in found["layers"]] + [found["outside_percent"]]
    assert shares == pytest.approx([400 / 11, 500 / 11, 200 / 11])
    assert found["operations"][1]["highest_ms"] == 90


def test_what_belongs_to_no_layer_goes_by_what_it_does() -> None:
    parts = (Operation("x", "", "Reorder", 1.0), Operation("y", "", "Reorder", 2.0))
    (row,) = summarise([ProfiledRun(4.0, parts)])["layers"]
    assert row == {"layer": "Reorder", "kinds": ["Reorder"], "ms": 3.0, "share_percent": 75.0}


def test_onnxruntime_events_fall_to_their_runs() -> None:
    def event(cat: str, name: str, ts: int, dur: int, op: str = "") -> dict:
        return {"cat": cat, "name": name, "ts": ts, "dur": dur, "args": {"op_name": op}}

    events = [
        event("Session", "session_initialization", 0, 50),
        event("Node", "late_kernel_time", 215, 4000, "Gemm"),
        event("Node", "conv_kernel_time", 110, 1000, "Conv"),
        event("Node", "conv_kernel_time", 210, 3000, "Conv"),
        event("Node", "conv_fence_before", 209, 9, "Conv"),
        event("Session", "model_run", 100, 90),
        event("Session", "model_run", 200, 90),
    ]
    first, second = read_events(events, lambda name: f"layer of {name}")
    assert first.milliseconds == 0.09
    assert first.operations == (Operation("conv", "layer of conv", "Conv", 1.0),)
    assert [operation.name for operation in second.operations] == ["conv", "late"]


class PlantedRequest:
    """Takes these milliseconds in turn and, as OpenVINO, tells the mean of all so far."""

    def __init__(self, times: list[float]):
        self.times, self.done = times, 0

    def infer(self, inputs: dict) -> dict:
        self.done += 1
        return {"probabilities": np.zeros((1, 10))}

    @property
    def profiling_info(self) -> list[SimpleNamespace]:
        mean = sum(self.times[: self.done]) / self.done
        ran = {"node_name": "conv", "node_type": "Convolution", "status": "Status.EXECUTED"}
        fused = {"node_name": "relu", "node_type": "Relu", "status": "Status.NOT_RUN"}
        return [
            SimpleNamespace(**ran, real_time=timedelta(milliseconds=mean)),
            SimpleNamespace(**fused, real_time=timedelta(0)),
        ]


def test_openvino_means_leave_warming_up_out() -> None:
    request = PlantedRequest([500.0] * 5 + [3.0, 5.0])
    compiled = SimpleNamespace(create_infer_request=lambda: request)
    found = _mean_run(compiled, np.zeros((1, 32, 32, 3), np.uint8), 2, lambda name: "l")
    (operation,) = found.operations
    assert operation.milliseconds == pytest.approx(4.0, abs=0.01)


@pytest.mark.parametrize("engine", CONVOLUTIONS)
def test_engines_time_every_convolution_of_the_net(engine: str) -> None:
    """Under the names that PyTorch's own modules have."""
    choice = find_choice(f"{engine}:fp32")
    assert choice.engine.profile is not None
    images = np.zeros((2, 32, 32, 3), np.uint8)
    profile = choice.engine.profile(FILE, "fp32", 1, images, 2)
    network = load_model(find_weights_beside(FILE)).model.network
    expected = {n for n, m in network.named_modules() if m.__class__.__name__ == "Conv2d"}
    assert len(profile.runs) == 2 and "fp32" in profile.engine
    for each in profile.runs:
        timed = [op.layer for op in each.operations if op.kind == CONVOLUTIONS[engine]]
        assert len(timed) == 19 and set(timed) == expected
        assert any(op.layer == "classifier" for op in each.operations)
        names = [op.name for op in each.operations]
        assert len(names) == len(set(names)) and all(op.milliseconds >= 0 for op in each.operations)


def test_names_that_engines_lengthen_lead_to_layers() -> None:
    find = layer_finder(FILE)
    assert find("node_Conv_421/WithoutBiases") == "stage1.0.conv1" == find("relu_1_nchwc")
    assert find("relu_nchwc") == "stem.0" and find("node_linear") == "classifier"
    assert find("node__to_copy") == "input" and find("ReorderInput_token_3") == ""


def test_the_command_writes_what_it_prints(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "profile.json"
    words = ["profile", "--engine", "onnxruntime-cpu", "--batch-size", "2", "--threads", "1"]
    assert main([*words, "--repeats", "3", "--json", str(out)]) == 0
    stored, shown = json.loads(out.read_text()), capsys.readouterr().out
    assert stored["format"] == "resnet-lab-profile-1" and stored["environment"]["onnxruntime"]
    assert (stored["threads"], stored["batch_size"], stored["runs"]) == (1, 2, 3)
    parts = sum(row["ms"] for row in stored["layers"]) + stored["outside_ms"]
    assert parts == pytest.approx(stored["sum_ms"])
    assert "stage2.1.conv1" in shown and "outside layers" in shown and "100.00 %" in shown


def test_a_file_that_cannot_be_written_loses_no_figure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["profile", "--batch-size", "1", "--repeats", "1", "--json", str(tmp_path)]
    assert main(words) == 2
    told = capsys.readouterr()
    assert "a whole run took" in told.out.lower() and "name a file" in told.err


def test_what_cannot_be_told_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["--engine", "abacus"], "no engine named"),
        (["--batch-size", "0", "--repeats", "0"], "--repeats should be at least 1"),
        (["--batch-size", str(10**12)], "choose a smaller --batch-size"),
        (["--engine", "pytorch-compiled:fp32"], "can't"),
    ):
        assert main(["profile", *words]) == 2
        assert said in capsys.readouterr().err
    assert ENGINES["onnxruntime-cuda"].profile is None
