"""`python -m benchmarks depth`: train a study, go on with it, extend it, stop it, report it."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.depth import engine
from benchmarks.depth.report import as_table, study_csv
from benchmarks.depth.results import left_out, read_results, rows
from benchmarks.depth.room import choose_at_once
from benchmarks.depth.study import (
    PlannedRun,
    Study,
    describe,
    make_study,
    plan,
    read_study,
    studies_folder,
)
from benchmarks.depth.verdicts import judge
from resnet_core.config_options import add_setting, config_of
from resnet_core.console import Commands
from resnet_core.display import clock
from resnet_core.errors import ConfigError, RunError
from resnet_core.files import write_text
from resnet_core.models.config import FAMILIES
from resnet_core.plural import counted
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.queue import MOST_AT_ONCE
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import reproducing_command

DEFAULT_DEPTHS = (20, 32, 44, 56)


def add_depth(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "depth against error: the same recipe at every depth, with skips and without"
    parser = commands.add_parser("depth", help=text, description=text)
    parser.add_argument(
        "--families", type=_words, default=["plain", "resnet_v1"],
        help=f"some of {','.join(FAMILIES)} (default: plain,resnet_v1)",
    )  # fmt: skip
    parser.add_argument(
        "--depths", type=_numbers, default=list(DEFAULT_DEPTHS), help="(default: 20,32,44,56)"
    )
    parser.add_argument("--seeds", type=int, default=1, help="seeds a net (default: 1)")
    parser.add_argument("--first-seed", type=int, default=0, help="(default: 0)")
    parser.add_argument(
        "--study", type=Path, help="the study's folder (default: runs/studies/DATA-RECIPE-EPOCHS)"
    )
    parser.add_argument(
        "--at-once",
        type=int,
        help="runs at a time, with --ray on each GPU (default: 1 on a CPU, measured on a GPU)",
    )
    parser.add_argument("--queue", action="store_true", help="train in the background")
    parser.add_argument(
        "--ray", metavar="ADDRESS", help="train on a Ray cluster: auto or HOST:PORT"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object at the end")
    add_setting(parser)
    parser.set_defaults(execute=_depth)

    _add_action(commands, "depth-stop", _stop, "stop a study; the same `depth` goes on with it")
    report = _add_action(commands, "depth-report", _report, "what a study has found so far")
    report.add_argument("--csv", type=Path, help="write a row a net to this file")
    report.add_argument("--html", type=Path, help="write figures, verdicts and tables to this page")
    report.add_argument("--json", action="store_true", help="print one JSON object")
    ship = _add_action(commands, "depth-ship", _ship, "copy a finished study without its weights")
    ship.add_argument("--to", type=Path, required=True, help="folder to make, such as studies/NAME")


def _add_action(
    commands: Commands[argparse.ArgumentParser], name: str, execute: Any, text: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--study", type=Path, required=True, help="the study's folder")
    parser.set_defaults(execute=execute)
    return parser


def _words(text: str) -> list[str]:
    return [word for word in text.replace(" ", "").split(",") if word]


def _numbers(text: str) -> list[int]:
    try:
        return [int(word) for word in _words(text)]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' should be numbers with commas between, such as 20,56"
        ) from None


def study_command(
    families: Sequence[str], depths: Sequence[int], seeds: int, first_seed: int, base: TrainConfig
) -> str:
    """The command line that makes this study anywhere; paths of this machine left out."""
    words = [
        "python", "-m", "benchmarks", "depth",
        "--families", ",".join(families),
        "--depths", ",".join(map(str, depths)),
        "--seeds", str(seeds),
        *(["--first-seed", str(first_seed)] if first_seed else []),
    ]  # fmt: skip
    said = shlex.split(reproducing_command(base))
    shared = said[said.index("--data") :]
    at = shared.index("--seed")
    return shlex.join(words + shared[:at] + shared[at + 2 :])


def _depth(options: argparse.Namespace) -> int:
    if options.seeds < 1:
        raise ConfigError(f"A study needs at least 1 seed, not {options.seeds}.")
    if options.at_once is not None and not 1 <= options.at_once <= MOST_AT_ONCE:
        raise ConfigError(f"--at-once should be 1 to {MOST_AT_ONCE}, not {options.at_once}.")
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    planned, notes = plan(options.families, options.depths, seeds)
    base = _base(options, planned)
    path = options.study or studies_folder() / default_name(base)
    command = study_command(
        options.families, options.depths, options.seeds, options.first_seed, base
    )
    study, folders = make_study(path, base, planned, command)
    say = _silence if options.json else _say
    for note in notes:
        say(note)
    say(f"Study: {study.path} ({describe(study)}), {len(folders)} runs")
    if options.ray:
        _train_on_ray(folders, options, say)
    else:
        at_once = options.at_once or choose_at_once(base)
        queued = engine.queue_runs(study, folders, at_once)
        say(f"{queued} of them to train, {at_once} at a time.")
        if options.queue:
            if options.json:
                print(json.dumps({"study": str(study.path), "queued": queued}))
            return 0
        _follow(study, say)
    _print_findings(study, options.json)
    return _status(folders)


def default_name(base: TrainConfig) -> str:
    return f"{base.data.replace('/', '-')}-{base.recipe.name}-{base.recipe.epochs:g}"


def _base(options: argparse.Namespace, planned: Sequence[PlannedRun]) -> TrainConfig:
    """What all runs share, as a config of the first, its recipe as it was said.

    Each run's recipe is fitted to its depth when it is made; one fitted to a deep first net would
    be the shallow ones' too. So the options are read for a net too shallow to ask for anything.
    """
    first = planned[0]
    options.model = FAMILIES[first.family].name(FAMILIES[first.family].layers_per_n + 2)
    options.seed = first.seed
    base = config_of(options)
    return replace(base, model=replace(base.model, depth=first.depth))


def _silence(text: str) -> None:
    pass


def _say(text: str) -> None:
    print(text, flush=True)


def _follow(study: Study, say: Any) -> None:
    """Print what becomes of each run; an interrupt stops the study, whose runs can be resumed."""
    told: dict[str, str] = {}
    try:
        for progress in engine.watch(study):
            for row in progress.rows:
                if told.get(row["name"]) != row["state"]:
                    told[row["name"]] = row["state"]
                    say(_line(row, progress))
    except KeyboardInterrupt:
        asked = engine.stop(study)
        say(f"Stopping {asked} runs: the same command goes on where they stand.")
        for _ in engine.watch(study):
            pass
        raise


def _line(row: dict[str, Any], progress: engine.StudyProgress) -> str:
    said = f"{progress.count(RunState.FINISHED):>3}/{len(progress.rows)}  {row['name']:<24} {row['state']}"
    if row["state"] == RunState.FINISHED.value:
        said += (
            f": train {row['train_error_percent']:.2f} %, test {row['test_error_percent']:.2f} %, "
            f"{clock(row['train_seconds'])}"
        )
    if row["state"] == RunState.FAILED.value:
        said += f": {row['reason']}"
    return said


def _train_on_ray(folders: Sequence[RunFolder], options: argparse.Namespace, say: Any) -> None:
    """Print what becomes of each run, and what happens to it on the way."""
    from benchmarks.depth.on_ray import train_on_ray

    told: dict[str, tuple[str, str]] = {}
    for progress in train_on_ray(folders, options.ray, options.at_once or 1):
        now = (progress.state.value, progress.note)
        if told.get(progress.folder.name) != now:
            told[progress.folder.name] = now
            where = f" on {progress.node}" if progress.node else ""
            note = f": {progress.note}" if progress.note else ""
            say(f"{progress.folder.name:<24} {progress.state.value}{where}{note}")


def _print_findings(study: Study, as_json: bool) -> None:
    cells = read_results(study)
    verdicts = judge(cells, study.recipe.epochs)
    outside = left_out(study)
    if as_json:
        found = {
            "study": str(study.path),
            **study.to_dict(),
            "rows": rows(cells),
            "verdicts": [verdict.to_dict() for verdict in verdicts],
            "left_out": outside,
        }
        print(json.dumps(found, indent=2))
        return
    print(as_table(cells))
    for sentence in outside:
        print(sentence)
    for verdict in verdicts:
        print(
            f"\n{verdict.claim}: {verdict.outcome.value.upper()}.\n  {verdict.figures}. {verdict.still_needed}".rstrip()
        )


def _status(folders: Sequence[RunFolder]) -> int:
    """0 if all that was asked for is trained."""
    missing = [folder for folder in folders if folder.state() is not RunState.FINISHED]
    if missing:
        names = ", ".join(f"{folder.name} ({folder.state().value})" for folder in missing)
        print(f"Not finished: {names}. The same command goes on with them.", file=sys.stderr)
    return 2 if missing else 0


def _stop(options: argparse.Namespace) -> None:
    study = read_study(options.study)
    asked = engine.stop(study)
    for _ in engine.watch(study):
        pass
    print(
        f"{counted(asked, 'run')} stopped or withdrawn." if asked else "Nothing of it was running."
    )


def _report(options: argparse.Namespace) -> None:
    study = read_study(options.study)
    if options.csv:
        write_text(options.csv, study_csv(read_results(study)))
    if options.html:
        from benchmarks.depth.page import study_html

        write_text(options.html, study_html(study))
    _print_findings(study, options.json)


def _ship(options: argparse.Namespace) -> None:
    from benchmarks.depth.ship import ship_study

    study = read_study(options.study)
    if missing := study.unfinished():
        raise RunError(
            f"{len(missing)} runs of {study.path} are not finished: finish them before shipping."
        )
    size = ship_study(study, options.to)
    print(f"{options.to}: {len(study.runs)} runs, {size / 1e6:.2f} MB")
