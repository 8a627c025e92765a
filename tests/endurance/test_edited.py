"""A run whose files someone edited: every entry, every wrong kind of value, and every page still opens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resnet_core.errors import RunError
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.kinds import KINDS
from tests.written_runs import write_run

NAME = "20261127-120000-resnet20_v1-shapes"
WRONG = (None, "<b>", -1, 2.5, float("inf"), True, [], [1], {}, {"a": 1})
GONE = object()


def edits(held: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The file with one entry replaced, or taken out."""
    for name, value in held.items():
        for wrong in (*WRONG, GONE):
            rest = {key: other for key, other in held.items() if key != name}
            yield rest if wrong is GONE else rest | {name: wrong}
        if isinstance(value, dict):
            yield from (held | {name: edited} for edited in edits(value))


def open_pages(runs: Path) -> None:
    """What the pages ask of every run: the Train tab, its menus, the Models tab, the model menus."""
    from export.catalogue import list_exported
    from resnet_core.runs.summary import describe_runs
    from ui.models import tab as models
    from ui.models import view as model_view
    from ui.train import start_form, watch
    from ui.train import tab as train
    from ui.train.compare import _compare
    from ui.train.run_view import render_queue, render_status

    watch.look(NAME, None)
    rows = describe_runs(runs)
    render_status("PyTorch", rows)
    render_queue(rows)
    train._copy_settings(NAME)
    _compare([NAME], "epoch", "error", "both", NAME)
    start_form.offer_starts(NAME)
    start_form.describe_start(NAME)
    list_exported()
    listed = model_view.list_models()
    model_view.render_models(listed, NAME)
    if NAME in [model.name for model in listed]:
        models._show(NAME)


@pytest.mark.parametrize("file", KINDS)
def test_every_page_opens(file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    monkeypatch.setattr("gradio.Warning", lambda words: None)  # there is no page to show it
    run = write_run(tmp_path / NAME)
    run.onnx_file.write_bytes(b"exported")
    path = run.path / file
    held = json.loads(path.read_text())
    tried = 0
    for edited in edits(held):
        path.write_text(json.dumps(edited))
        open_pages(tmp_path)
        tried += 1
    assert tried > 50


@pytest.mark.parametrize(
    ("file", "edit", "said"),
    [
        ("config.json", {"seed": "one"}, r"config.json is damaged \(seed is not a whole number\)"),
        ("config.json", {"recipe": {"name": "fast", "epochs": "3"}}, r"recipe.epochs is not a number"),
        ("config.json", {"recipe": {"name": "fast", "epochs": 3.0}}, r"recipe.batch_size is missing"),
        ("config.json", {"start": 3}, r"start is not an object or null"),
        ("summary.json", {"test_error_percent": float("nan")}, r"test_error_percent is not a number"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(file: str, edit: dict[str, Any], said: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / NAME)
    held = json.loads((run.path / file).read_text())
    (run.path / file).write_text(json.dumps(held | edit))
    read = RunFolder.config if file == "config.json" else RunFolder.summary
    with pytest.raises(RunError, match=said):
        read(run)
