"""The planner on the Speed tab, over what was "measured" of two models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from benchmarks.app_speed import served
from benchmarks.throughput.settings import SpeedSettings
from export.catalogue import find_exported
from export.tuned import FORMAT, cache_file, environment
from resnet_core.errors import RunError
from resnet_core.files import write_json
from tests.ui.live_app import App, fill, open_tab, unfold, words
from ui.child import Child
from ui.speed import jobs as speed_jobs
from ui.speed import planner as speed_planner
from ui.speed import tune_jobs


def row(precision: str, p99_ms: float, error: float, valid: bool = True) -> dict[str, Any]:
    return {
        "engine": "onnxruntime-cpu", "precision": precision, "p99_ms": p99_ms, "valid": valid,
        "test_error_percent": error, "images_per_second": 1000 / p99_ms, "reason": None,
    }  # fmt: skip


def write_tuned(model: str, *rows: dict[str, Any]) -> None:
    write_json(
        cache_file(find_exported(model).file),
        {
            "format": FORMAT, "model": model, "environment": environment(), "gate": "pictures",
            "rows": rows, "chosen": "onnxruntime-cpu:fp32",
        },
    )  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory) -> Iterator[App]:
    folder = tmp_path_factory.mktemp("app")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESNET_LAB_RUNS", str(folder / "runs"))
        write_tuned("resnet20_v1", row("fp32", 2, 8.39), row("int8", 1, 8.45))
        write_tuned("resnet56_v1", row("fp32", 6, 7.35), row("int8", 0.1, 0.1, valid=False))
    with served(words(folder / "runs", folder / "data", engine="")) as url:
        yield App(url, folder / "runs")


@pytest.fixture
def page(browser, app: App) -> Iterator[Page]:
    page = open_tab(browser, app.url, "Speed")
    unfold(page, "#speed-plan")
    yield page
    page.close()


def test_the_best_answer_within_both_limits_is_found_and_used(page: Page) -> None:
    answer = page.locator("#plan-answer")
    expect(answer).to_contain_text("resnet56_v1 on onnxruntime-cpu:fp32: 6.00 ms at p99")
    fill(page, "#plan-latency", 2.5)
    expect(answer).to_contain_text("resnet20_v1 on onnxruntime-cpu:fp32: 2.00 ms at p99")
    fill(page, "#plan-latency", 1.5)
    expect(answer).to_contain_text("resnet20_v1 on onnxruntime-cpu:int8: 1.00 ms at p99")
    expect(answer).to_contain_text("python -m export plan --latency-ms 1.5 --error 10")
    assert answer.locator("tbody tr").count() == 3, "an engine that failed its gate is no option"
    page.click("#plan-use")
    expect(page.locator("#model input")).to_have_value(re.compile("^resnet20_v1"))
    expect(page.locator("#engine input")).to_have_value("onnxruntime-cpu:int8")


def test_limits_that_nothing_meets_are_said_and_offer_nothing(page: Page) -> None:
    fill(page, "#plan-error", 8)
    fill(page, "#plan-latency", 1.5)
    problem = page.locator("#plan-answer .lab-problem")
    expect(problem).to_contain_text(
        "No model that was measured here answers within 1.5 ms at p99 and 8 % error"
    )
    expect(page.locator("#plan-use")).to_be_disabled()
    fill(page, "#plan-error", 0)
    expect(problem).to_contain_text("should be more than 0")


def test_measuring_is_started_for_every_model_and_never_beside_other_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    monkeypatch.setattr(Child, "start", lambda child, words, *about: begun.append(words))
    monkeypatch.setattr(speed_planner.run_jobs, "all_rows", lambda: [{"state": "running"}])
    assert "A net is training" in speed_planner._measure(20, 10)[0] and not begun
    monkeypatch.setattr(speed_planner.run_jobs, "all_rows", lambda: [])
    with monkeypatch.context() as patch:
        patch.setattr(speed_planner.jobs, "live_file", lambda: tmp_path / "now.json")
        assert "Speed is being measured" in speed_planner._measure(20, 10)[0] and not begun
    speed_planner._measure(20, 10)
    assert begun[0][:2] == ["export", "tune"] and "resnet56_v1" in begun[0]
    # Nor does a measurement of speed begin beside it.
    monkeypatch.setattr(tune_jobs, "is_running", lambda: True)
    with pytest.raises(RunError, match="which engine answers fastest"):
        speed_jobs.start(SpeedSettings())
    assert len(begun) == 1
