"""A run folder that is deleted or emptied under a page, at every moment of its reading."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from resnet_core.runs.folder import RunFolder
from resnet_core.runs.queue import waiting
from resnet_core.runs.summary import describe_runs
from tests.written_runs import write_run

_watch: dict[str, Any] = {}


def _on_audit(event: str, arguments: tuple) -> None:
    """Python can't take a hook back, so it sleeps when nothing is watched."""
    if not _watch or event not in ("open", "os.listdir", "os.scandir"):
        return
    path = arguments[0]
    if not isinstance(path, str | bytes) or _watch["folder"] not in str(path):
        return
    _watch["seen"] += 1
    if _watch["seen"] == _watch["moment"]:
        act = _watch.pop("act")
        folder = Path(_watch["folder"])
        _watch.clear()
        act(folder)


sys.addaudithook(_on_audit)


@contextmanager
def disturbed(folder: Path, moment: int, act: Callable[[Path], None]) -> Iterator[None]:
    """Just before the `moment`-th file of the folder is opened, something happens to it."""
    _watch.update(folder=str(folder), moment=moment, act=act, seen=0)
    try:
        yield
    finally:
        _watch.clear()


def delete(folder: Path) -> None:
    shutil.rmtree(folder)


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def garble(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(b"[1, \xff")


def look_at_runs() -> None:
    from ui.train import watch

    assert isinstance(watch.look("run", None), list)


def list_the_models() -> None:
    from export.catalogue import list_exported
    from ui.models.view import list_models, render_models

    list_exported()
    render_models(list_models(), "run")


def compare_runs() -> None:
    from ui.train.compare import _compare

    _compare(["run"], "epoch", "error", "both", "run")


def tell_the_status() -> None:
    from ui.layout import _status

    _status()


def queue_a_run(runs: Path) -> RunFolder:
    shutil.rmtree(runs / "run", ignore_errors=True)
    run = write_run(runs / "run", epochs=1, steps=20)
    run.queued_file.write_text('{"place": 1}')
    return run


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runs whose queue nobody works on."""
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    for page in ("train.watch", "layout"):
        monkeypatch.setattr(f"ui.{page}.ensure_worker", lambda runs: None)
    return tmp_path


@pytest.mark.parametrize("read", [look_at_runs, compare_runs, tell_the_status])
@pytest.mark.parametrize("act", [delete, empty, garble])
def test_no_page_breaks_when_its_queued_run_goes(
    read: Callable[[], None], act: Callable[[Path], None], runs: Path
) -> None:
    for moment in range(1, 30):
        with disturbed(queue_a_run(runs).path, moment, act):
            read()
            is_over = bool(_watch)
        if is_over:
            assert moment > 1
            break


@pytest.mark.parametrize("text", ["[1, \xff", "{}", '{"model": {"family": 3}}'])
def test_a_damaged_run_that_waits_is_named_and_can_be_withdrawn(runs: Path, text: str) -> None:
    from ui.train.run_actions import _change_queue
    from ui.train.run_view import render_queue

    write_run(runs / "sound", seed=5, steps=20).queued_file.write_text('{"place": 2}')
    queue_a_run(runs).config_file.write_bytes(text.encode("latin-1"))
    look_at_runs()
    shown = render_queue(describe_runs(runs))
    damaged, sound = shown.split("<li>")[1:]
    assert "<span>run · damaged</span>" in damaged and 'data-action="withdraw"' in damaged
    assert "resnet20_v1 · shapes · seed 5" in sound
    _change_queue("withdraw", "run")
    assert [run.name for run in waiting(runs)] == ["sound"]


@pytest.mark.parametrize("read", [look_at_runs, list_the_models, compare_runs, tell_the_status])
@pytest.mark.parametrize("act", [delete, empty, garble])
def test_no_page_breaks_when_its_run_goes(
    read: Callable[[], None], act: Callable[[Path], None], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    for moment in range(1, 30):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        run = write_run(tmp_path / "run", epochs=1)
        run.onnx_file.write_bytes(b"")
        with disturbed(run.path, moment, act):
            read()
            is_over = bool(_watch)
        if is_over:  # the page reads fewer files than that
            assert moment > 1
            break
