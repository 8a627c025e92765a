"""What screen readers are told while something runs: its state when that changes, no figure a second."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.depth.engine import StudyProgress
from resnet_core.pretrained.table import newest_weights
from resnet_core.runs.folder import RunState
from resnet_core.runs.summary import describe_run
from tests.written_runs import write_run
from ui.depth import study_view
from ui.html import render_progress_bar
from ui.models import fetch_view
from ui.models.fetch_jobs import Progress
from ui.speed import jobs as speed_jobs
from ui.speed import view as speed_view
from ui.train import run_view, watch
from ui.why import view as why_view

UI = Path(__file__).resolve().parents[2] / "ui"


def announced(page: str) -> list[str]:
    """The text of each element that is announced whenever it changes."""
    found = re.findall(r"<(\w+)[^>]* role=.status.[^>]*>(.*?)</\1>", page, re.DOTALL)
    return [text for _, text in found]


def bars(page: str) -> list[tuple[str, str]]:
    """Label and value of each bar."""
    pattern = r'role="progressbar" aria-label="([^"]*)" [^>]*aria-valuenow="(\d+)"'
    return re.findall(pattern, page)


def test_a_run_announces_its_state_alone(tmp_path: Path) -> None:
    row = describe_run(write_run(tmp_path / "mine", steps=60))
    page = run_view.render_run(row | {"state": "running", "eta_seconds": 60.0})
    assert announced(page) == ["running"] and bars(page) == [("Progress of mine", "50")]
    damaged = run_view.render_run({"name": "x", "state": "damaged", "reason": "y is damaged."})
    assert announced(damaged) == ["damaged"]
    assert "can&#x27;t be read: y is damaged. Put the file back" in damaged


def test_a_run_that_is_asked_to_stop_says_so_before_it_has(tmp_path: Path) -> None:
    row = describe_run(write_run(tmp_path / "mine", steps=60))
    asked = row | {"state": "running", "eta_seconds": 60.0, "is_stopping": True}
    page, line = run_view.render_run(asked), run_view.render_status("e", [asked | {"place": None}])
    assert announced(page) == ["stopping"] and "after this step" in page and "left" not in page
    assert "stopping" in line and "<button" not in line
    stop, *_ = watch._buttons("running", True, is_stopping=True)
    assert not stop["interactive"]


def test_a_study_announces_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_view, "describe", lambda study: "shapes")
    running = {
        "state": "running", "model": "plain20", "seed": 0, "epoch": 1.0, "epochs": 2.0,
        "eta_seconds": 9.0, "step": 1, "is_stopping": False,
    }  # fmt: skip
    progress = SimpleNamespace(
        count=lambda state: 3 * (state is RunState.FINISHED), rows=[running], is_moving=True,
        share_done=0.4,
    )  # fmt: skip
    page = study_view.render_progress(SimpleNamespace(runs=range(8)), progress)  # type: ignore[arg-type]
    assert announced(page) == ["3 of 8 nets trained"] and "training plain20" in page
    assert bars(page) == [("Progress of the study", "40")]
    assert "stopping plain20" in study_view._running(running | {"is_stopping": True})


def test_a_study_is_stopping_once_all_that_moves_was_asked_to() -> None:
    asked, trains = [{"state": "running", "is_stopping": said} for said in (True, False)]
    waits = {"state": "queued", "is_stopping": False}
    done = {"state": "finished", "is_stopping": False}
    assert StudyProgress((asked, done)).is_stopping
    assert not any(
        StudyProgress(rows).is_stopping for rows in ((asked, trains), (asked, waits), (done,))
    )


def test_a_measurement_announces_that_it_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speed_jobs, "eta_seconds", lambda stored: 90.0)
    stored = SimpleNamespace(progress={"done": 2, "total": 8, "now": "plain20"}, share_done=0.25)
    page = speed_view._render_live(stored)  # type: ignore[arg-type]
    assert announced(page) == ["Measuring"] and "plain20 · 2 of 8 measurements" in page
    assert bars(page) == [("Progress of the measurement", "25")]


def test_a_fetch_announces_what_it_fetches() -> None:
    weights = newest_weights()[0]
    event = {
        "event": "fetching", "done_bytes": 3, "total_bytes": 4, "eta_seconds": 1.0,
        "bytes_per_second": 1.0,
    }  # fmt: skip
    page = fetch_view.render_progress(Progress(weights, True, event, "", False))
    assert announced(page) == [f"Fetching {weights.net}"]
    assert bars(page) == [(f"Progress of {weights.net}", "75")]


def test_a_look_inside_announces_that_it_computes() -> None:
    job = SimpleNamespace(
        analysis="responses", process_id=lambda: 1, facts=lambda: {"started_at": 0.0}
    )
    header = {"analysis": "responses", "settings": {}, "models": [{}, {}]}
    stored = SimpleNamespace(header=header, rows=[{}], is_finished=False)
    page = why_view.render_job(job, stored)  # type: ignore[arg-type]
    assert announced(page) == ["Computing"] and "1 results so far" in page
    assert bars(page) == [("Progress of Responses", "50")]


def test_every_bar_is_written_in_one_place() -> None:
    assert 'aria-label="&lt;b&gt;"' in render_progress_bar(0.5, "<b>")
    by_hand = [file.name for file in UI.glob("*.py") if 'class="lab-progress' in file.read_text()]
    assert by_hand == ["html.py"]
