"""A net for photos fetched from the Models tab, in a real browser, from a server on this machine."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from playwright.sync_api import Page, expect

from benchmarks.app_speed import served
from resnet_core.data import imagenet
from resnet_core.files import write_json
from resnet_core.models.config import parse_model_name
from resnet_core.pretrained.table import find_weights
from tests.export.tiny_onnx import write_tiny_onnx
from tests.ui.classify.test_classify_page import contrast
from tests.ui.live_app import App, open_tab, unfold, words
from tests.weights_server import WeightsServer, serving
from ui.classify.example_pictures import PHOTOS
from ui.models import fetch_jobs

NET = "resnet18"
WEIGHTS = find_weights(NET)


@pytest.fixture(scope="module")
def server() -> Iterator[WeightsServer]:
    with serving(bytes(WEIGHTS.size_bytes)) as server:
        yield server


@pytest.fixture
def live(server: WeightsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[App]:
    monkeypatch.setenv("RESNET_LAB_WEIGHTS_URL", server.url)
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path / "runs"))
    *command, port = words(tmp_path / "runs", tmp_path / "data")
    with served([*command, port]) as url:
        yield App(url, tmp_path / "runs")
    fetch_jobs.stop()


def place_model(runs: Path) -> None:
    """What a fetch leaves behind, with a net of a blink's size in the place of the real one."""
    folder = runs / "imported" / WEIGHTS.model_name
    folder.mkdir(parents=True)
    file = write_tiny_onnx(folder / "model.onnx", list(imagenet.class_names()), size=32)
    model = onnx.load(file)
    kept = {prop.key: prop.value for prop in model.metadata_props}
    onnx.helper.set_model_props(model, kept | {"family": "photo_resnet", "crop_share": "0.875"})
    onnx.save(model, file)
    write_json(
        folder / "card.json",
        {
            "name": NET, "config": parse_model_name(NET).to_dict(), "data": "imagenet",
            "params": WEIGHTS.params, "multiply_adds": 1_814_000_000, "command": "python -m export fetch resnet18",
            "imported": {"source": "imported from resnet18-f37072fd.pth", "sha256": "f37072fd"},
            "published": {"top1_error_percent": 30.242, "source": "torchvision"},
        },
    )  # fmt: skip
    done = {"event": "fetched", "model": WEIGHTS.model_name, "folder": str(folder), "proof": "1e-6"}
    fetch_jobs.child().log_file.write_text(json.dumps(done) + "\n")


def ask(page: Page) -> None:
    page.get_by_role("button", name=f"Fetch {NET} …").click()
    expect(page.locator("#fetch-question")).to_contain_text(f"Fetch {NET}?")


def test_a_net_is_asked_for_fetched_cancelled_and_used(
    browser, server: WeightsServer, live: App, tmp_path: Path
) -> None:
    page = open_tab(browser, live.url, "Models")
    unfold(page, "#photo-nets")
    table = page.locator("#fetch-table")
    expect(table).to_contain_text("wide_resnet101_2")
    expect(table).to_contain_text("30.24 %")
    ask(page)
    question = page.locator("#fetch-question")
    for word in (
        "47 MB",
        "127.0.0.1",
        "BSD 3-Clause",
        "python -m export fetch resnet18 --version v1",
    ):
        expect(question).to_contain_text(word)
    page.click("#fetch-no")
    expect(question).to_be_hidden()
    assert not server.asked  # looking and saying no ask nobody

    server.how = "stalling"
    ask(page)
    page.click("#fetch-yes")
    progress = page.locator("#fetch-progress")
    expect(progress).to_contain_text("of 46.8 MB")
    expect(page.locator("#status")).to_contain_text("Fetching")
    page.click("#fetch-cancel")
    expect(progress).to_contain_text("was stopped")
    (part,) = (tmp_path / "data" / "weights").glob(".*.part")
    assert 0 < part.stat().st_size < WEIGHTS.size_bytes

    server.how = "missing"
    ask(page)
    page.click("#fetch-yes")
    expect(progress.locator(".lab-problem")).to_contain_text("answered 404")
    expect(progress).to_contain_text(f"as {tmp_path / 'data' / 'weights' / WEIGHTS.file_name}")
    assert contrast(page, "#fetch-progress .lab-problem p") >= 4.5

    place_model(live.runs)
    expect(progress).to_contain_text(f"{WEIGHTS.model_name} is here")
    expect(page.locator("#models")).to_contain_text("resnet18_imagenet")
    page.click("#fetch-use")
    expect(page.locator("#model input")).to_have_value("resnet18_imagenet · 18 layers · 30.24 % (published)")  # fmt: skip
    assert PHOTOS
    page.locator("#photos button").first.click()
    expect(page.locator("#answer .lab-ranks li").first).to_be_visible()
    expect(page.locator("#answer figcaption").last).to_contain_text("32 × 32")
    page.close()


def test_nothing_is_there_before_a_fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    assert fetch_jobs.progress() is None and fetch_jobs.status_rows() == []
    fetch_jobs.stop()
    child = fetch_jobs.child()
    child.job_file.parent.mkdir()
    write_json(child.job_file, {"net": NET, "version": "v1", "process_id": 2**22, "process_started_at": time.time()})  # fmt: skip
    child.log_file.write_text('{"event": "working", "step": "x"}\nError: no room.\n')
    now = fetch_jobs.progress()
    assert now is not None and now.problem == "no room." and not now.is_running
    child.log_file.write_text('{"event": "working", "step": "x"}\n{"torn')
    assert fetch_jobs.progress().event["event"] == "working"
