"""A folder takes another's place whole, and nothing is left of what was killed on the way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from resnet_core import folders
from resnet_core.files import LONGEST_WRITE_SECONDS
from resnet_core.folders import swap_in, workshop
from tests.processes import ROOT


def filled(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "file").write_text(text)
    return folder


@pytest.mark.parametrize("is_one_step", [True, False])
def test_a_folder_takes_the_place_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_one_step: bool
) -> None:
    if not is_one_step:
        monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    ready, target = filled(tmp_path / "ready", "new"), tmp_path / "target"
    swap_in(ready, target)
    assert (target / "file").read_text() == "new" and not ready.exists()
    filled(ready, "newer")
    swap_in(ready, target)
    assert (target / "file").read_text() == "newer" and (ready / "file").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ready", "target"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it takes two renames")
def test_at_no_moment_is_there_none(tmp_path: Path) -> None:
    ready, target = filled(tmp_path / "ready", "a"), filled(tmp_path / "target", "b")
    is_over, missed = Event(), []

    def watch() -> None:
        while not is_over.is_set():
            missed.extend([1] if not target.exists() else [])

    watcher = Thread(target=watch)
    watcher.start()
    for _ in range(200):
        swap_in(ready, target)
    is_over.set()
    watcher.join()
    assert not missed


def test_what_is_refused_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_exchange", lambda one, other: False)
    target = filled(tmp_path / "target", "old")
    with pytest.raises(FileNotFoundError):
        swap_in(tmp_path / "never-made", target)
    assert (target / "file").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_a_workshop_goes_and_so_do_those_of_the_killed(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from resnet_core.folders import workshop\n"
        "with workshop(Path(sys.argv[1])): os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "model"], cwd=ROOT)
    assert done.returncode == 9
    (left,) = tmp_path.iterdir()
    with workshop(tmp_path / "model") as place:
        assert place.parent == tmp_path and left.exists(), "it may be another's, still at work"
    namesake = filled(tmp_path / f".model.{os.getpid()}.tmp", "of another process of this number")
    with workshop(tmp_path / "model") as place:
        assert place == namesake and list(place.iterdir()) == []
    long_ago = left.stat().st_mtime - 2 * LONGEST_WRITE_SECONDS
    os.utime(left, (long_ago, long_ago))
    with pytest.raises(KeyError), workshop(tmp_path / "model") as place:
        assert not left.exists()
        filled(place / "model", "half")
        raise KeyError
    assert list(tmp_path.iterdir()) == []
