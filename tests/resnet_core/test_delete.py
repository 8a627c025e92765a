"""Deleting runs, as POSIX does it and as Windows, which renames no folder with an open file, lets it."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from resnet_core.errors import RunError
from resnet_core.runs import deletion
from resnet_core.runs.claims import claim
from resnet_core.runs.deletion import _put_aside, delete_run
from resnet_core.runs.folder import RunFolder, RunState, list_runs
from tests.written_runs import write_run


def open_files(below: Path) -> list[Path]:
    """Those of this process, as the kernel has them."""
    links = [link for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [path for link in links if (path := link.resolve()).is_relative_to(below)]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rename that Windows would refuse is refused."""
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if open_files(path):
            raise PermissionError(errno.EACCES, "Access is denied", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    plain = _put_aside
    monkeypatch.setattr(
        deletion, "_put_aside", lambda folder, doomed, within_lock: plain(folder, doomed, False)
    )


def test_nothing_in_the_folder_is_open_when_windows_renames_it(
    tmp_path: Path, windows: None
) -> None:
    run = write_run(tmp_path / "run")
    delete_run(run)
    assert list(tmp_path.iterdir()) == []


def test_windows_says_in_a_sentence_what_has_the_run_open(tmp_path: Path, windows: None) -> None:
    run = write_run(tmp_path / "run")
    with (
        open(run.events_file),
        pytest.raises(RunError, match=r"Run run can't be deleted .Access is denied.: close what"),
    ):
        delete_run(run)
    assert list_runs(tmp_path) == [run]


def test_a_run_claimed_before_windows_renames_it_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", steps=60)
    rename = Path.rename

    def claim_first(path: Path, target: Path) -> Path:
        if path == run.path:
            claim(run, {})
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", claim_first)
    with pytest.raises(RunError, match="is running"):
        _put_aside(run, tmp_path / ".deleted-run", within_lock=False)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert run.state() is RunState.RUNNING


def test_files_that_can_not_go_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path / "run")
    remove = shutil.rmtree

    def refuse(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        remove(path, ignore_errors=True)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(RunError, match=r"files of it are left .*delete the folder .*\.deleted-run"):
        delete_run(run)
    assert list_runs(tmp_path) == []


def test_what_is_left_of_a_run_of_the_same_name_is_no_hindrance(tmp_path: Path) -> None:
    left = tmp_path / ".deleted-run"
    left.mkdir()
    (left / "events.jsonl").write_text("")
    delete_run(write_run(tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


def test_on_posix_the_lock_is_held_over_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, held = write_run(tmp_path / "run"), []
    rename = Path.rename

    def look(path: Path, *words: Any) -> Path:
        held.append(RunFolder(path).lock_file in open_files(path))
        return rename(path, *words)

    monkeypatch.setattr(Path, "rename", look)
    delete_run(run)
    assert held == [True]
