"""What is typed wrong is said in one sentence, with status 2, before anything is made of it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from resnet_core.__main__ import main
from resnet_core.plural import counted

TRAIN = ["train", "--model", "plain8", "--data", "shapes", "--epochs", "0.1"]


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_file_where_a_folder_should_be_is_said(tmp_path: Path, capsys) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("mine", encoding="utf-8")
    said = refusal([*TRAIN, "--run", str(file)], capsys)
    assert said.startswith(f"Error: {file} can't be read or written (File exists): ")
    assert file.read_text(encoding="utf-8") == "mine"


def test_a_folder_where_a_file_should_be_is_said_by_the_name_that_was_given(
    tmp_path: Path, capsys, monkeypatch
) -> None:
    asked = tmp_path / "made"
    asked.mkdir()

    def move(_: object) -> None:
        (tmp_path / "made.tmp").touch()
        (tmp_path / "made.tmp").replace(asked)

    monkeypatch.setattr("resnet_core.runs.commands._limit", move)
    said = refusal(["runs", "limit"], capsys)
    assert said.startswith(f"Error: {asked} can't be read or written ")


@pytest.mark.parametrize("option", ["--precision", "--compile"])
def test_a_misspelt_option_leaves_no_run(option: str, tmp_path: Path, capsys) -> None:
    said = refusal([*TRAIN, "--runs", str(tmp_path), option, "fp8"], capsys)
    assert "'fp8': choose one of auto, " in said
    assert not list(tmp_path.iterdir())


def test_no_runs_at_once_are_refused(tmp_path: Path, capsys) -> None:
    said = refusal(["runs", "together", "--runs", str(tmp_path), "--at-once", "0"], capsys)
    assert said == "Error: --at-once should be at least 1, not 0."


@pytest.mark.parametrize(
    ("program", "words", "said"),
    [
        ("resnet_core", ["runs", "list", "--runs", "README.md"], "README.md is a file"),
        ("benchmarks", ["depth-report", "--study", "README.md"], "There is no study at README.md"),
        ("benchmarks", ["depth-against-work", "--rounds", "-1"], "--rounds should be 0, to time nothing"),
        ("benchmarks", ["why", "surgery", "plain20", "--off", "99"], "There is no block 99"),
        ("benchmarks", ["why", "surgery", "plain20", "--swap", "3-4"], "can't be swapped"),
        ("benchmarks", ["why", "gradients", "plain20", "--images", "0"], "choose 1 to 4096 images"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_refused_before_anything_is_measured(
    program: str, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = import_module(f"{program}.__main__").main
    assert run(words) == 2
    printed = capsys.readouterr()
    (line,) = printed.err.splitlines()
    assert said in line and not printed.out


def test_a_number_and_its_noun_agree() -> None:
    assert [counted(n, "step") for n in (0, 1, 1053)] == ["0 steps", "1 step", "1,053 steps"]
    assert [counted(n, "epoch") for n in (0.5, 1.0, 30.0)] == ["0.5 epochs", "1 epoch", "30 epochs"]
