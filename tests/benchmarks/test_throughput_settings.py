"""What throughput is asked to measure: every combination once, and nothing that can't be."""

from __future__ import annotations

import pytest

from benchmarks.rounds import check_rounds
from benchmarks.throughput.cases import parse_threads, plan_setups
from benchmarks.throughput.settings import SpeedSettings
from resnet_core.errors import ConfigError


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
