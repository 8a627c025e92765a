"""The vendors' own tools beside this kit: both are really asked, and a failure is a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import vendor_tools
from benchmarks.vendor_tools import TOOLS, compare_with_vendor
from resnet_core.errors import ConfigError, LabError


@pytest.mark.parametrize("engine", ["onnxruntime-cpu:fp32", "openvino-cpu:fp32"])
def test_both_sides_are_measured_in_turn(engine: str) -> None:
    found = compare_with_vendor(engine, "resnet20_v1", 8, 1, 2, 1.0)
    assert found["engine"] == engine and found["tool"] == TOOLS[engine][0]
    for side in ("ours", "theirs"):
        assert len(found["rounds"][side]) == 2 and min(found["rounds"][side]) > 0
    assert found["ratio_lowest"] <= found["ratio"] <= found["ratio_highest"]


def test_a_tool_that_fails_is_said() -> None:
    with pytest.raises(LabError, match=r"failed: .*[Nn]o such file|failed: .*doesn't exist"):
        vendor_tools._bare_loop(Path("/no/such/model.onnx"), 32, 1, 1, 0.1)


@pytest.mark.parametrize(("batch", "threads"), [(-3, 1), (1, 0)])
def test_what_can_not_be_measured_is_said_before_an_engine_opens(batch: int, threads: int) -> None:
    with pytest.raises(ConfigError, match="should be at least 1, not "):
        compare_with_vendor("onnxruntime-cpu:fp32", "resnet20_v1", batch, threads, 1, 0.1)
