"""What is read out of LoadGen's logs and of stored results of the load benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.load.logs import describe, read_detail
from benchmarks.load.scenarios import MULTI_STREAM, SERVER, SINGLE_STREAM
from benchmarks.load.stored import read_load
from resnet_core.errors import ConfigError
from tests.benchmarks.load_runs import run_of


def detail_of(queries: int, **more: Any) -> dict[str, Any]:
    kinds = [f"{number}.00_percentile_{kind}" for number in (50, 90, 99)
             for kind in ("latency", "per_query_latency")]  # fmt: skip
    return {
        "errors": [],
        "result_validity": "VALID",
        "result_query_count": queries,
        "result_mean_latency_ns": 2e6,
        "result_mean_query_latency_ns": 4e6,
        "result_completed_samples_per_sec": 90.0,
        "result_scheduled_samples_per_sec": 91.0,
        "result_min_duration_met": True,
        "result_min_queries_met": True,
        "early_stopping_met": True,
        **{f"result_{kind}_ns": 8e6 if "query" in kind else 3e6 for kind in kinds},
    } | more


def test_percentiles_wait_for_queries_enough() -> None:
    few, enough = (describe(run_of(SINGLE_STREAM), detail_of(count)) for count in (661, 662))
    assert few["p99_ms"] is None and few["p90_ms"] == 3.0
    assert enough["p99_ms"] == 3.0 and enough["samples"] == 662
    assert enough["achieved_queries_per_second"] == 500 and enough["valid"]
    several = describe(run_of(MULTI_STREAM), detail_of(662))
    assert several["p99_ms"] == 8.0 and several["achieved_images_per_second"] == 2000


def test_why_loadgen_does_not_count_a_run() -> None:
    run = run_of(SERVER)
    over = {"result_validity": "INVALID", "result_perf_constraints_met": False}
    figures = describe(run, detail_of(700, **over, early_stopping_met=False))
    assert figures["reason"] == "more than 1 % of its answers took longer than 500 ms"
    assert not figures["saturated"] and not figures["valid"]
    slow = describe(run, detail_of(700, result_completed_samples_per_sec=50.0))
    assert slow["saturated"]
    behind = ["IssueQueryThread 0 Ending early: Too many outstanding queries. issued 63"]
    stopped = describe(run, detail_of(700, **over, errors=behind, result_min_duration_met=False))
    assert stopped["saturated"] and stopped["reason"].startswith("it fell so far behind")
    unsure = detail_of(9, result_validity="INVALID", early_stopping_met=False)
    assert "more queries to be sure" in describe(run, unsure)["reason"]


def test_another_file_is_not_taken_for_results(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"format": "else"}')
    for name in ("other.json", "none.json"):
        with pytest.raises(ConfigError):
            read_load(tmp_path / name)


def test_a_log_is_read_whatever_else_is_in_it(tmp_path: Path) -> None:
    lines = [
        ':::MLLOG {"key": "error_runtime", "value": "late"}',
        "something else",
        ':::MLLOG {"key": "result_validity", "value": "VALID"}',
    ]
    (tmp_path / "mlperf_log_detail.txt").write_text("\n".join(lines))
    assert read_detail(tmp_path)["errors"] == ["late"]
