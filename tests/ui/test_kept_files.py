"""Files to take along: written once for each state, found again, and lent from anywhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.depth.results import read_results
from benchmarks.depth.study import SHIPPED_FOLDER, read_study
from resnet_core.errors import ConfigError
from ui import kept_files
from ui.depth import tab as depth
from ui.kept_files import keep_in, lend, write_once


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(kept_files, "_made", {})
    return tmp_path / "kept"


def test_a_state_is_written_once(kept: Path) -> None:
    first = write_once(("a", 1), lambda: {"x.csv": "one"})
    assert write_once(("a", 1), lambda: {"x.csv": "never asked for"}) == first
    assert Path(first[0]).read_text() == "one" and Path(first[0]).name == "x.csv"
    assert write_once(("a", 2), lambda: {"x.csv": "two"}) != first
    assert len(list(kept.iterdir())) == 2
    shutil.rmtree(Path(first[0]).parent)  # as Gradio does after a day
    again = write_once(("a", 1), lambda: {"x.csv": "one"})
    assert again != first and Path(again[0]).read_text() == "one"


def test_looking_at_a_study_again_writes_nothing(kept: Path) -> None:
    """A page looks every two seconds while a study trains, and a report has 5 MB."""
    study = read_study(SHIPPED_FOLDER / "cifar10-taste-3")
    cells = read_results(study)
    first = depth._write(study, cells)
    assert [depth._write(study, read_results(study)) for _ in range(3)] == [first] * 3
    assert len(list(kept.iterdir())) == 1
    assert depth._write(study, cells[:2]) != first  # other results, other files


def test_a_file_is_lent_at_a_path_that_is_handed_out(kept: Path, tmp_path: Path) -> None:
    file = tmp_path / "runs" / "model.onnx"
    file.parent.mkdir()
    file.write_bytes(b"first")
    lent = Path(lend(file))
    assert lent.is_relative_to(kept) and lent.name == "model.onnx"
    assert lent.read_bytes() == b"first" and Path(lend(file)) == lent
    file.with_name("new").write_bytes(b"second one")
    os.replace(file.with_name("new"), file)
    assert Path(lend(file)).read_bytes() == b"second one"
    assert lent.read_bytes() == b"first"  # who is downloading it gets what was there
    file.unlink()
    with pytest.raises(OSError, match=r"model\.onnx"):
        lend(file)


def test_without_links_it_is_copied(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    file = tmp_path / "model.onnx"
    file.write_bytes(b"bytes")
    assert Path(lend(file)).read_bytes() == b"bytes"


def own_folder() -> Path:
    return Path(os.environ["GRADIO_TEMP_DIR"])


@pytest.mark.parametrize("place", ["kept", "", None])
def test_only_a_folder_of_its_own_is_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | None
) -> None:
    """`kept` may be /tmp, `runs/uploads` a person's own; an empty variable says as little as none."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(kept_files, "KEPT_SECONDS", -60)  # every file is older
    if place is None:
        monkeypatch.delenv("GRADIO_TEMP_DIR")
    else:
        monkeypatch.setenv("GRADIO_TEMP_DIR", place and str(tmp_path / place))
    keep_in(tmp_path / "runs")
    own = own_folder()
    assert own.parent == tmp_path / (place or "runs")
    foreign = [tmp_path / "here.txt", tmp_path / "kept/deep/a.png", tmp_path / "runs/uploads/b.png"]
    empty, left = tmp_path / "kept/empty", own / "0af3/left.png"
    for file in (*foreign, left):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    empty.mkdir()
    keep_in(tmp_path / "runs")  # the next start, or a second app of this process
    assert own_folder() == own and not list(own.iterdir())
    assert all(file.is_file() for file in foreign) and empty.is_dir()


@pytest.mark.parametrize("leads", ["documents", "nowhere"])
def test_a_link_in_its_folders_place_is_not_followed(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leads: str
) -> None:
    keep_in(tmp_path / "runs")
    own = own_folder()
    own.rmdir()
    (tmp_path / "documents").mkdir()
    own.symlink_to(tmp_path / leads)
    (tmp_path / "documents/thesis.txt").write_text("x")
    monkeypatch.setattr(kept_files, "KEPT_SECONDS", -60)
    with pytest.raises(ConfigError, match="should be a folder of the app's own"):
        keep_in(tmp_path / "runs")
    assert (tmp_path / "documents/thesis.txt").is_file()
