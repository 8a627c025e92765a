"""The engine that answers in the Classify tab: measured in the background, shown, overridden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from benchmarks.app_speed import served
from export.catalogue import find_exported, list_exported
from tests.resnet_core.live_runs import wait_until
from tests.ui.classify.test_classify_page import clear
from tests.ui.live_app import choose, open_tab, words
from ui.child import Child
from ui.classify import engines

EXAMPLES = Path(__file__).resolve().parents[3] / "ui" / "classify" / "examples"


def test_the_fastest_engine_is_measured_once_then_answers_and_can_be_overridden(
    browser, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    best, small = list_exported()[0], find_exported("resnet20_v1")
    with served(words(runs, tmp_path / "data", engine="")) as url:
        page = open_tab(browser, url, "Classify")
        expect(page.locator("#model input")).to_have_value(best.title)
        choose(page, "#model", small.title)  # measured in a sixth of the best one's time
        page.set_input_files("#picture input[type=file]", EXAMPLES / "ship.jpg")
        # Before anything was measured: the usual engine, and the answer does not wait.
        expect(page.locator(".lab-times")).to_contain_text("ONNX Runtime")
        wait_until(lambda: list(runs.glob(".engines/*.json")), seconds=300)
        [kept] = runs.glob(".engines/*.json")
        found = json.loads(kept.read_text())
        assert found["model"] == small.name and "drawn pictures" in found["gate"]

        # Another answer is the chosen engine's, and the menu says which that is.
        clear(page)
        page.set_input_files("#picture input[type=file]", EXAMPLES / "truck.jpg")
        expect(page.locator(".lab-verdict")).to_contain_text("truck")
        runs_on = {f"{row['engine']}:{row['precision']}": row["runs"] for row in found["rows"]}
        expect(page.locator(".lab-times")).to_contain_text(runs_on[found["chosen"]])
        page.click("#engine input")
        said = page.get_by_role("option").all_inner_texts()
        assert any(f"{found['chosen']} (fastest here)" in option for option in said)
        page.get_by_role("option", name="onnxruntime-cpu:int8", exact=True).click()
        expect(page.locator(".lab-times")).to_contain_text("ONNX Runtime")
        expect(page.locator(".lab-times")).to_contain_text("int8")
        expect(page.locator("#command textarea")).to_have_value(
            f"python -m export classify PICTURE --model {small.name} --top-k 5 "
            "--engine onnxruntime-cpu:int8"
        )
        page.close()


def test_nothing_is_measured_beside_other_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[list[str]] = []
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    monkeypatch.delenv("RESNET_LAB_ENGINE", raising=False)
    monkeypatch.setattr(engines, "_begun", set())
    monkeypatch.setattr(Child, "start", lambda child, words, *about: begun.append(words))
    for busy in (
        lambda patch: patch.setattr(engines.run_jobs, "all_rows", lambda: [{"state": "running"}]),
        lambda patch: patch.setattr(engines.speed_jobs, "live_file", lambda: tmp_path / "now"),
        lambda patch: patch.setattr(engines.tune_jobs, "is_running", lambda: True),
    ):
        with monkeypatch.context() as patch:
            busy(patch)
            engines.measure_in_background("resnet20_v1")
        assert not begun
    for _ in range(2):
        engines.measure_in_background("resnet20_v1")
    assert len(begun) == 1 and begun[0][:3] == ["export", "tune", "resnet20_v1"]
    # A file that was exported anew, or an engine's new version, is measured in the same app.
    monkeypatch.setattr("export.tuned._libraries", lambda: {"openvino": "a newer one"})
    engines.measure_in_background("resnet20_v1")
    assert len(begun) == 2


def test_an_engine_that_is_not_there_is_refused_at_the_door() -> None:
    from tests.ui.test_front_door import start

    done = start("--no-browser", "--engine", "abacus")
    assert done.returncode == 2 and done.stderr.startswith("Error: There is no engine named")
