"""Deleting imported models: asked, named, undone once, and never another folder's."""

from __future__ import annotations

from pathlib import Path

import pytest

from resnet_core.__main__ import main
from resnet_core.doctor.remove import bring_back, delete_imported, deleted_last, what_goes
from resnet_core.errors import ModelError
from resnet_core.zoo import find_imported, imported_entries
from tests.resnet_core.doctor.ports import Port, save


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of runs with two imported models."""
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path / "runs"))
    path = save(Port(1).state_dict(), tmp_path / "theirs.pth")
    for name in ("first", "second"):
        words = ["--normalisation", "half", "--data", "cifar10", "--name", name]
        assert main(["import", str(path), *words]) == 0
    return tmp_path / "runs"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def names(runs: Path) -> list[str]:
    return [entry.name for entry in imported_entries(runs)]


def test_the_last_deletion_is_undone_byte_for_byte(runs: Path) -> None:
    before = contents(runs / "imported")
    (entry, _) = imported_entries(runs)
    assert "first (imported from theirs.pth, 0." in what_goes(entry)
    delete_imported("first", runs)
    assert names(runs) == ["second"] and deleted_last(runs) == "first"
    assert find_imported("first", runs) is None
    assert bring_back(runs) == "first"
    assert contents(runs / "imported") == before and deleted_last(runs) is None
    with pytest.raises(ModelError, match="No deleted model"):
        bring_back(runs)


def test_the_one_before_the_last_is_gone_for_good(runs: Path) -> None:
    delete_imported("first", runs)
    delete_imported("second", runs)
    assert names(runs) == [] and bring_back(runs) == "second"
    assert list((runs / "imported").iterdir()) == [runs / "imported" / "second"]


def test_a_name_taken_again_is_not_overwritten(runs: Path) -> None:
    delete_imported("first", runs)
    (runs / "imported" / "second").rename(runs / "imported" / "first")
    kept = contents(runs / "imported" / "first")
    with pytest.raises(ModelError, match="named 'first' again"):
        bring_back(runs)
    assert contents(runs / "imported" / "first") == kept


@pytest.mark.parametrize("name", ["third", "", "..", "../imported/first", ".deleted"])
def test_only_imported_models_are_deleted(runs: Path, name: str) -> None:
    before = contents(runs)
    with pytest.raises(ModelError, match="there are first, second"):
        delete_imported(name, runs)
    assert contents(runs) == before


def test_the_command_asks_once_and_names_what_goes(
    runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []
    answers = iter(["n", "y"])

    def answer(question: str) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    assert main(["imported", "delete", "first"]) == 2
    assert "say --yes" in capsys.readouterr().err and not asked
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    assert main(["imported", "delete", "first"]) == 0 and names(runs) == ["first", "second"]
    assert main(["imported", "delete", "first"]) == 0 and names(runs) == ["second"]
    assert len(asked) == 2 and "first (imported from theirs.pth" in asked[0]
    assert main(["imported", "list"]) == 0
    assert "second" in capsys.readouterr().out
    assert main(["imported", "bring-back"]) == 0 and names(runs) == ["first", "second"]
    assert main(["imported", "delete", "second", "--yes"]) == 0 and names(runs) == ["first"]
