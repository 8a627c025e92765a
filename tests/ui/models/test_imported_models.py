"""The Models tab shows an imported model, and claims nothing of its training."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from benchmarks.app_speed import served
from resnet_core.__main__ import main
from resnet_core.errors import LabError
from tests.resnet_core.doctor.ports import Port, save
from tests.ui.live_app import open_tab, words
from ui.models.tab import _show
from ui.models.view import list_models, render_card, render_models


def test_an_imported_model_is_listed_with_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path / "runs"))
    path = save(Port(1).state_dict(), tmp_path / "th<b>eirs.pth")
    words = ["--normalisation", "half", "--data", "cifar10", "--name", "theirs"]
    assert main(["import", str(path), *words]) == 0
    (model,) = [model for model in list_models() if model.name == "theirs"]
    card = render_card(model)
    assert hashlib.sha256(path.read_bytes()).hexdigest() in card
    assert "imported from th&lt;b&gt;eirs.pth" in card and "<b>" not in card
    assert "not known" in card and "not measured" in card and "0.00 %" not in card
    assert "theirs, imported from" in render_models(list_models(), "theirs")
    with pytest.raises(LabError, match="not known"):
        model.history()
    shown = _show("theirs")
    curves = shown[3]
    assert shown[0] == "theirs" and curves["value"] is None and curves["visible"] == "hidden"
    assert shown[7]["visible"] is True
    assert _show("resnet20_v1")[7]["visible"] is False  # what ships stays


def test_an_imported_model_is_taken_along_and_used_from_a_folder_elsewhere(
    browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio hands out what lies in its own folders, in the current one and among temporary files."""
    runs = tmp_path / "runs"
    monkeypatch.setenv("RESNET_LAB_RUNS", str(runs))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    path = save(Port(1).state_dict(), tmp_path / "theirs.pth")
    assert main(["import", str(path), "--normalisation", "half", "--data", "cifar10"]) == 0
    with served(words(runs, tmp_path)) as url:
        page = open_tab(browser, url, "Models")
        page.click("#models button[data-row=theirs]")
        expect(page.locator("#model-card")).to_contain_text("theirs")
        with page.expect_download() as taken:
            page.click("#model-weights")
        kept = runs / "imported" / "theirs" / "model.safetensors"
        assert Path(taken.value.path()).read_bytes() == kept.read_bytes()
        page.click("#model-use")
        expect(page.locator("#model input")).to_have_value(re.compile("^theirs"))
        assert (kept.parent / "model.onnx").is_file()
        page.close()


def test_an_imported_model_is_deleted_and_brought_back_in_the_tab(
    browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path / "runs"))
    path = save(Port(1).state_dict(), tmp_path / "theirs.pth")
    assert main(["import", str(path), "--normalisation", "half", "--data", "cifar10"]) == 0
    with served(words(tmp_path / "runs", tmp_path)) as url:
        page = open_tab(browser, url, "Models")
        row = page.locator("#models button[data-row=theirs]")
        row.click()
        page.click("#model-delete")
        question = page.locator("#model-delete-question")
        expect(question).to_contain_text("Delete theirs (imported from theirs.pth, ")
        expect(question).to_contain_text("python -m resnet_core imported delete theirs")
        page.click("#model-delete-keep")
        expect(question).to_be_hidden()
        page.click("#model-delete")
        page.click("#model-delete-sure")
        expect(row).to_have_count(0)
        expect(page.locator("#model-message")).to_contain_text("Deleted theirs.")
        page.click("#model-undo")
        expect(row).to_have_count(1)
        expect(page.locator("#model-message")).to_contain_text("theirs is back.")
        expect(page.locator("#model-undo")).to_be_hidden()
        page.close()
