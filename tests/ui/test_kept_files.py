"""Files to take along: written once for each state, found again, and lent from anywhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from benchmarks.depth.results import read_results
from benchmarks.depth.study import SHIPPED_FOLDER, read_study
from ui import depth, kept_files
from ui.kept_files import lend, write_once


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
