"""What pages show as the same on the command line: the real commands take it, in the app's folders."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

import benchmarks.commands
import export.commands
import resnet_core.commands
from benchmarks.why.settings import ANALYSES, default_settings
from export.plan import Option
from resnet_core.pretrained.table import newest_weights
from resnet_core.runs.summary import describe_runs
from tests.ui.train.test_train_form import values
from tests.written_runs import write_run
from ui import command_lines, run_jobs
from ui.classify import averaging, gallery, inside
from ui.classify import tab as classify
from ui.command_lines import RUNS_BY_ENVIRONMENT, command_line
from ui.depth import study_form
from ui.models import delete as model_delete
from ui.models import fetch_jobs, fetch_view
from ui.models import view as model_view
from ui.speed import bounds as speed_bounds
from ui.speed import form as speed_form
from ui.speed import planner as speed_planner
from ui.train import compare, run_view
from ui.train import tab as train
from ui.why import jobs as why_jobs

NAME = "a run; of mine"
ADD = {
    "resnet_core": resnet_core.commands.add_commands,
    "benchmarks": benchmarks.commands.add_commands,
    "export": export.commands.add_commands,
}


def use_folders(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """As `app.py --runs … --data …` does."""
    monkeypatch.setenv("RESNET_LAB_RUNS", str(home / "runs"))
    monkeypatch.setenv("RESNET_LAB_DATA", str(home / "data"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an app has folders of its own, with a run."""
    home = tmp_path / "my folders"
    use_folders(monkeypatch, home)
    write_run(home / "runs" / NAME)
    return home


def codes(page: str) -> list[str]:
    return [unescape(code) for code in re.findall("<code>(.*?)</code>", page, re.DOTALL)]


def lines_of_the_pages() -> Iterator[str]:
    (row,) = describe_runs(run_jobs.runs_folder())
    for state in ("running", "queued", "finished", "stopped"):
        yield from run_view.action_commands(row | {"state": state}).splitlines()[1:]
    yield from codes(model_delete._question(NAME))
    yield from codes(compare._table([run_jobs.run_named(NAME)], [NAME]))
    yield from codes(train._command_line(values()))
    yield from codes(study_form._render_command(["plain"], ["8"], 1, "shapes", "taste", 1))
    yield classify._command(NAME, "", 5, "openvino-cpu")
    yield gallery._command(NAME, "")
    yield averaging._command("resnet20_v1", "", "flip", [NAME])
    yield inside._command(NAME, "pick-up truck")
    mine = replace(model_view.list_models()[0], name=NAME, onnx_file=None)
    yield model_view._strangers(mine).removeprefix("not measured: ")
    option = Option("plain20", "e", 1.0, 1.0, 1.0)
    yield from codes(speed_planner._answer(9, 9, [option])[0])
    yield from codes(speed_form._render_told([NAME], ["all"], ["1"], ["all"], 1, 1, 1, 10))
    yield from (kind.command for kind in speed_bounds.KINDS.values())
    yield from (why_jobs.shown_command(default_settings(analysis)) for analysis in ANALYSES)
    weights = next(iter(newest_weights()))
    yield from codes(fetch_view.render_question(weights, fetch_jobs.places()))


def test_each_is_taken_by_its_command_and_finds_the_folders_of_the_app(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = list(lines_of_the_pages())
    assert len(shown) > 25
    for name in ("RUNS", "DATA"):  # as in a fresh terminal
        monkeypatch.delenv(f"RESNET_LAB_{name}")
    for line in shown:
        words = shlex.split(line)
        is_told = words[0] == f"RESNET_LAB_RUNS={home / 'runs'}"
        python, m, room, *words = words[is_told:]
        assert (python, m) == ("python", "-m"), line
        parser = argparse.ArgumentParser()
        ADD[room](parser.add_subparsers())
        options = parser.parse_args(words)
        runs = home / "runs" if is_told else getattr(options, "runs", None)
        # Load is measured of a model that ships.
        assert runs == home / "runs" or words[0] == "load", line
        assert getattr(options, "data_folder", home / "data") == home / "data", line


def test_a_command_that_made_a_run_is_told_of_the_folders_too(home: Path) -> None:
    made = "python -m resnet_core train --seed 0\npython -m resnet_core runs extend RUN --epochs 2"
    (row,) = describe_runs(run_jobs.runs_folder())
    trained, extended, *_ = run_view.action_commands(row | {"command": made}).splitlines()
    runs, data = (shlex.quote(str(home / name)) for name in ("runs", "data"))
    assert trained == f"{made.splitlines()[0]} --runs {runs} --data-folder {data}"
    assert extended == f"{made.splitlines()[1]} --runs {runs}"


def test_the_usual_folders_are_not_said(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_folders(monkeypatch, Path(__file__).resolve().parents[2])
    assert why_jobs.shown_command(default_settings("ensemble")).endswith("--seed 0")
    assert classify._command(NAME, "", 5).startswith(
        "python -m export classify PICTURE --model 'a run"
    )


def test_a_model_that_ships_is_found_in_any_folder(home: Path) -> None:
    line = classify._command("resnet20_v1", "", 5)
    assert line == "python -m export classify PICTURE --model resnet20_v1 --top-k 5"


def test_windows_is_told_in_the_words_of_its_shell(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = command_line("export", "report", "net", folders=(RUNS_BY_ENVIRONMENT,))
    assert said == f"RESNET_LAB_RUNS='{home / 'runs'}' python -m export report net"
    monkeypatch.setattr(command_lines, "IS_WINDOWS", True)
    said = command_line("export", "report", "net", folders=(RUNS_BY_ENVIRONMENT,))
    assert said == f"$env:RESNET_LAB_RUNS='{home / 'runs'}'; python -m export report net"
    monkeypatch.setenv("RESNET_LAB_RUNS", str(home / "mother's"))
    said = command_line("export", "report", "net", folders=(RUNS_BY_ENVIRONMENT,))
    assert said.startswith(f"$env:RESNET_LAB_RUNS='{home}/mother''s'; python")
