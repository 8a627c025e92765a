"""Studies of real runs: killed, gone on with, extended, stopped, reported and shipped."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.depth.commands import _base, _print_findings, add_depth, study_command
from benchmarks.depth.engine import StudyProgress
from benchmarks.depth.page import study_html
from benchmarks.depth.results import left_out, read_results
from benchmarks.depth.study import (
    SHARED,
    SHIPPED_FOLDER,
    PlannedRun,
    Study,
    list_studies,
    make_study,
    plan,
    read_study,
)
from resnet_core.errors import ConfigError, RunError
from resnet_core.files import write_json
from resnet_core.models.config import parse_model_name
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import extend, read_config
from resnet_core.training.recipes import find_recipe
from tests.processes import ROOT, run_module
from tests.resnet_core.live_runs import WORDS, assert_same_result, wait_until
from tests.written_runs import write_run

SETTINGS = ["depth", *WORDS[3:], "--depths", "8"]
"""Data, recipe, epochs and checkpoints of `unbroken`."""


def bench(*words: object) -> subprocess.CompletedProcess[str]:
    return run_module("benchmarks", *words)


def kill_all(study: Path, command: subprocess.Popen) -> None:
    """The command, its worker and its run, in the order that leaves nobody to start another."""
    command.kill()
    command.wait()
    subprocess.run(["pkill", "-KILL", "-f", f"runs work --runs {study}"], check=True)
    process = RunFolder(study / "resnet8_v1-seed0").process_id()
    assert process is not None
    os.kill(process, signal.SIGKILL)


@pytest.fixture(scope="module")
def killed_study(tmp_path_factory) -> Path:
    """A study of one net, all of whose processes died by SIGKILL, and that was gone on with."""
    study = tmp_path_factory.mktemp("studies") / "shapes"
    words = [*SETTINGS, "--families", "resnet_v1", "--study", str(study)]
    command = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *words], cwd=ROOT, stdout=subprocess.DEVNULL
    )
    folder = RunFolder(study / "resnet8_v1-seed0")
    wait_until(folder.state_file.exists)
    kill_all(study, command)
    wait_until(lambda: folder.state() is RunState.INTERRUPTED)
    again = bench(*words)
    assert again.returncode == 0, again.stderr
    assert "1 of them to train" in again.stdout and "finished: train" in again.stdout
    return study


def test_a_killed_study_finishes_as_if_undisturbed(killed_study: Path, unbroken: RunFolder) -> None:
    assert_same_result(RunFolder(killed_study / "resnet8_v1-seed0"), unbroken)


def test_an_extension_trains_only_what_is_new(killed_study: Path, tmp_path: Path) -> None:
    first = RunFolder(killed_study / "resnet8_v1-seed0").summary_file
    written_at = first.stat().st_mtime_ns
    words = [*SETTINGS, "--study", killed_study]
    done = bench(*words, "--families", "plain,resnet_v1", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [row["family"] for row in found["rows"]] == ["plain", "resnet_v1"]
    assert first.stat().st_mtime_ns == written_at
    assert len(found["commands"]) == 2 and str(killed_study) not in json.dumps(found["commands"])
    assert {v["outcome"] for v in found["verdicts"]} == {"too few runs"}

    other = bench(*words, "--lr", "0.2")
    assert other.returncode == 2 and "can't be extended" in other.stderr and "lr" in other.stderr

    report = bench("depth-report", "--study", killed_study,
                   "--csv", tmp_path / "a.csv", "--html", tmp_path / "a.html")  # fmt: skip
    assert report.returncode == 0 and "TOO FEW RUNS" in report.stdout
    assert (tmp_path / "a.csv").read_text().count("\n") == 3
    page = (tmp_path / "a.html").read_text()
    assert "Skip connections cure it" in page and "plotly" in page and "<script src" not in page

    shipped = bench("depth-ship", "--study", killed_study, "--to", tmp_path / "shipped")
    assert shipped.returncode == 0, shipped.stderr
    copy, original = read_study(tmp_path / "shipped"), read_study(killed_study)
    assert copy.runs == original.runs
    assert [c.errors("test") for c in read_results(copy)] == [
        c.errors("test") for c in read_results(original)
    ]
    assert not list((tmp_path / "shipped").rglob("*.safetensors"))
    assert {folder.config()["data_folder"] for folder in copy.folders()} == {"data"}
    assert sum(f.stat().st_size for f in (tmp_path / "shipped").rglob("*")) < 200_000


def base_config(**changes: Any) -> TrainConfig:
    """What all runs of a study share; some fields of it, or of its net, changed."""
    net = {k: changes.pop(k) for k in ("shortcut", "gate_bias") if k in changes}
    model = replace(parse_model_name("plain8"), **net)
    recipe = changes.pop("recipe", find_recipe("taste"))
    return TrainConfig(model, "shapes", recipe, "data", **changes)


CHANGES = {
    "shortcut": ("B", "its shortcut is A, not B"),
    "gate_bias": (-2.0, "its gate bias is -3.0, not -2.0"),
    "split_seed": (1, "its split seed is 0, not 1"),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("is_old", [False, True])
def test_an_extension_with_other_nets_or_another_split_is_refused(
    tmp_path: Path, name: str, is_old: bool
) -> None:
    value, words = CHANGES[name]
    make_study(tmp_path, base_config(), [PlannedRun(0, 8, "plain")], "first")
    if is_old:
        forget_shared(tmp_path)
    others = [PlannedRun(0, 8, "highway")]
    with pytest.raises(ConfigError, match=words):
        make_study(tmp_path, base_config(**{name: value}), others, "second")
    study, _ = make_study(tmp_path, base_config(), others, "second")
    assert len(study.runs) == 2 and study == read_study(tmp_path)


def forget_shared(path: Path) -> None:
    """A study's file as the first versions wrote it."""
    stored = json.loads((path / "study.json").read_text())
    write_json(path / "study.json", {k: v for k, v in stored.items() if k not in SHARED})


def test_an_old_study_has_the_options_of_its_runs(tmp_path: Path) -> None:
    make_study(tmp_path, base_config(shortcut="B"), [PlannedRun(0, 8, "plain")], "first")
    forget_shared(tmp_path)
    assert read_study(tmp_path).shortcut == "B"
    make_study(tmp_path, base_config(shortcut="B"), [PlannedRun(1, 8, "plain")], "second")
    forget_shared(tmp_path)
    for config in tmp_path.glob("*/config.json"):
        config.unlink()
    assert read_study(tmp_path).shortcut == "A"


def test_a_studys_command_says_gate_bias_and_split_where_they_are_not_the_usual() -> None:
    said = study_command(["highway"], [8], 1, 0, base_config(gate_bias=-2.0, split_seed=3))
    assert said.count("--gate-bias=-2.0") == said.count("--split-seed 3") == 1
    assert "--gate-bias" not in study_command(["highway"], [8], 1, 0, base_config())


def planned_study(path: Path, *words: str) -> Study:
    """What `depth` makes before it trains anything."""
    parser = argparse.ArgumentParser()
    add_depth(parser.add_subparsers())
    options = parser.parse_args(["depth", "--data", "shapes", *words])
    runs, _ = plan(options.families, options.depths, range(options.seeds))
    base = _base(options, runs)
    command = study_command(options.families, options.depths, options.seeds, 0, base)
    return make_study(path, base, runs, command)[0]


@pytest.mark.parametrize("first", ["20,56", "110"])
def test_a_deeper_net_that_asks_for_a_warm_up_extends_a_study(tmp_path: Path, first: str) -> None:
    """arXiv 1512.03385 §4.2: 110 layers warm up at 0.01, the others don't."""
    for depths in (first, "110", "20"):
        study = planned_study(tmp_path, "--recipe", "paper", "--depths", depths)
    assert study.recipe.warmup_lr is None and "warmup" not in " ".join(study.commands)
    for run in study.runs:
        recipe = read_config(study.folder(run)).recipe
        assert recipe.warmup_lr == (0.01 if run.depth == 110 else None)
    with pytest.raises(ConfigError, match=r"its recipe has warmup_lr 0\.01"):
        planned_study(tmp_path, "--recipe", "paper", "--depths", "110", "--warmup-lr", "0.02")


def test_a_run_made_longer_is_no_part_of_the_results_and_that_is_said(
    tmp_path: Path, capsys
) -> None:
    runs = [PlannedRun(0, 20, "plain"), PlannedRun(1, 20, "plain")]
    study, folders = make_study(tmp_path, base_config(), runs, "first")
    for folder in folders:
        finished = write_run(tmp_path / "written" / folder.name, "plain", 20)
        folder.summary_file.write_bytes(finished.summary_file.read_bytes())
    assert [len(cell.runs) for cell in read_results(study)] == [2] and not left_out(study)
    extend(folders[1], 10)  # what it had is put aside, and it has no figures until it is trained
    assert [len(cell.runs) for cell in read_results(study)] == [1] and not left_out(study)
    folders[1].summary_file.write_bytes(folders[0].summary_file.read_bytes())
    (cell,) = read_results(study)
    assert [run.folder for run in cell.runs] == [folders[0]]
    (sentence,) = left_out(study)
    assert sentence.startswith("plain20-seed1 is left out") and "11 epochs" in sentence
    _print_findings(study, as_json=False)
    assert sentence in capsys.readouterr().out
    assert escape(sentence) in study_html(study)


def test_a_study_is_stopped_and_says_so(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    queued = bench(*SETTINGS, "--seeds", "2", "--epochs", "50", "--queue", "--json")
    assert queued.returncode == 0, queued.stderr
    study = read_study(Path(json.loads(queued.stdout)["study"]))
    assert study.path == tmp_path / "studies" / "own-small-shapes-taste-50"
    assert study.path in list_studies()
    wait_until(lambda: any(f.state() is RunState.RUNNING for f in study.folders()))
    stopped = bench("depth-stop", "--study", study.path)
    assert stopped.returncode == 0 and "4 runs stopped" in stopped.stdout
    assert {folder.state() for folder in study.folders()} == {RunState.STOPPED}


def test_plans_name_only_nets_that_exist() -> None:
    runs, notes = plan(["resnet_v2", "plain"], [20, 32], [0, 1])
    assert {run.model for run in runs} == {"resnet20_v2", "resnet29_v2", "plain20", "plain32"}
    assert notes == ["ResNet v2 has depths 9n+2: 29 for 32."]
    assert runs == sorted(runs) and [run.seed for run in runs] == [0] * 4 + [1] * 4
    with pytest.raises(ConfigError, match="Unknown family"):
        plan(["densenet"], [20], [0])
    with pytest.raises(ConfigError, match="at least one"):
        plan(["plain"], [], [0])


def test_a_number_at_once_that_can_not_be_leaves_no_study(tmp_path: Path, capsys) -> None:
    study = tmp_path / "study"
    words = ["--data", "shapes", "--study", str(study), "--at-once", "-1"]
    assert main(["depth", *words]) == 2
    assert "--at-once should be 1 to 64, not -1." in capsys.readouterr().err
    assert not study.exists()


def test_a_damaged_study_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no study"):
        read_study(tmp_path)
    for content in ({}, {"format": "other"}, {"format": "resnet-lab-study-1", "runs": 3}, []):
        write_json(tmp_path / "study.json", content)  # type: ignore[arg-type]
        with pytest.raises(RunError, match="can't be read"):
            read_study(tmp_path)


def test_progress_counts_work_not_runs() -> None:
    rows = ({"state": "finished", "epoch": 2.0, "epochs": 2.0, "depth": 20},
            {"state": "running", "epoch": 1.0, "epochs": 2.0, "depth": 56})  # fmt: skip
    progress = StudyProgress(rows)
    assert progress.is_moving and progress.share_done == pytest.approx((20 + 28) / 76)
    assert PlannedRun(1, 56, "plain").folder_name == "plain56-seed1"


def test_of_the_shipped_studies_the_largest_is_shown_first() -> None:
    shipped = [read_study(path) for path in list_studies() if path.parent == SHIPPED_FOLDER]
    assert len(shipped) > 1
    runs = [len(study.runs) for study in shipped]
    assert runs == sorted(runs, reverse=True)
