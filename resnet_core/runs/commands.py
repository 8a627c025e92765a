"""`python -m resnet_core runs …`: see and steer runs, the same ones that the app shows. No torch."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from resnet_core.console import Commands
from resnet_core.display import clock
from resnet_core.errors import ConfigError, RunError
from resnet_core.events import Event, Finished
from resnet_core.runs.deletion import delete_run
from resnet_core.runs.folder import RunFolder, RunState, find_run
from resnet_core.runs.queue import enqueue, move, runs_at_once, set_runs_at_once, withdraw
from resnet_core.runs.summary import describe_run, describe_runs, log_tail, size_bytes
from resnet_core.runs.worker import ensure_worker, step_back, work
from resnet_core.training.config import default_runs_folder
from resnet_core.training.new_run import extend

STOP_LIMIT_SECONDS = 300.0
ROOT = Path(__file__).resolve().parents[2]


def add_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "list, show, stop, resume, extend, delete and export runs, and order their queue"
    runs = commands.add_parser("runs", help=text, description=text)
    actions = runs.add_subparsers(required=True, metavar="ACTION")
    for name, execute, add, help_text in (
        ("list", _list, _add_list, "all runs, newest first"),
        ("show", _show, _add_show, "one run: figures, command, last lines"),
        ("stop", stop, add_stop, "let it write a checkpoint and end; a queued one is withdrawn"),
        ("resume", _resume, add_run, "go on in the background, through the queue"),
        ("extend", _extend, _add_extend, "train it longer, in the background"),
        ("delete", _delete, _add_delete, "delete its folder, after asking twice"),
        ("export", _export, add_run, "write its ONNX file and verify it"),
        ("move", _move, _add_move, "give a queued run another place"),
        ("withdraw", _withdraw, add_run, "take it out of the queue"),
        ("limit", _limit, _add_limit, "how many runs compute at a time"),
        ("work", _work, add_runs_folder, "start queued runs until none is left"),
        ("together", _together, _add_together, "train queued runs in one process, as a GPU likes"),
    ):
        parser = actions.add_parser(name, help=help_text, description=help_text)
        add(parser)
        parser.set_defaults(execute=execute)


def add_runs_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=Path, default=default_runs_folder(),
        help="where run folders are (default: $RESNET_LAB_RUNS or ./runs)",
    )  # fmt: skip


def add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="run folder, or its name under --runs")
    add_runs_folder(parser)


def _add_list(parser: argparse.ArgumentParser) -> None:
    add_runs_folder(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def _list(options: argparse.Namespace) -> None:
    if options.runs.is_file():
        raise RunError(f"{options.runs} is a file: choose a folder of runs with --runs.")
    rows = describe_runs(options.runs)
    ensure_worker(options.runs)
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        print(f"There are no runs in {options.runs} yet: start one with `train`.")
        return
    width = max(len(row["name"]) for row in rows)
    print(f"{'run':{width}}  {'state':11} {'done':>6} {'left':>8} {'train':>8} {'valid.':>8} {'test':>8}")  # fmt: skip
    for row in rows:
        print(f"{row['name']:{width}}  {_figures(row)}")


def _figures(row: dict[str, Any]) -> str:
    state = f"queued, {row['place']}" if row.get("place") else row["state"]
    if row["state"] == "damaged":
        return f"{state:11} {row['reason']}"
    done = f"{100 * row['step'] / row['total_steps']:.0f} %" if row["total_steps"] else ""
    left = clock(row["eta_seconds"]) if row["eta_seconds"] is not None else ""
    errors = [
        "" if row[f"{split}_error_percent"] is None else f"{row[f'{split}_error_percent']:.2f} %"
        for split in ("train", "validation", "test")
    ]
    return f"{state:11} {done:>6} {left:>8} " + " ".join(f"{error:>8}" for error in errors)


def _add_show(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _show(options: argparse.Namespace) -> None:
    folder = find_run(options.run, options.runs)
    row = describe_run(folder)
    if options.json:
        print(json.dumps(row | {"config": folder.config()}, indent=2))
        return
    print(f"{row['name']}: {_figures(row | {'place': None}).strip()}")
    print(f"{size_bytes(folder) / 1e6:.1f} MB in {folder.path}")
    print(f"  {row['command']}")
    print(row["reason"] or log_tail(folder, 10), end="\n")


def add_stop(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--no-wait", action="store_true", help="do not wait for the process's end")


def stop(options: argparse.Namespace) -> None:
    folder = find_run(options.run, options.runs)
    state = folder.state()
    if state is RunState.QUEUED:
        withdraw(folder)
        print(f"Withdrew {folder.name} from the queue: it is {folder.state().value}.")
        return
    if state is not RunState.RUNNING:
        raise RunError(f"Run {folder.name} is {state.value}: only a running run can be stopped.")
    folder.request_stop()
    if options.no_wait:
        print(f"Asked {folder.name} to stop.")
        return
    _wait_for_end(folder)
    print(f"{folder.name} is {folder.state().value}; go on with `python -m resnet_core resume {folder.path}`.")  # fmt: skip


def _wait_for_end(folder: RunFolder) -> None:
    deadline = time.monotonic() + STOP_LIMIT_SECONDS
    while folder.process_id() is not None:
        if time.monotonic() > deadline:
            raise RunError(
                f"Run {folder.name} did not end in {STOP_LIMIT_SECONDS:.0f} seconds: its process "
                f"is {folder.process_id()}."
            )
        time.sleep(0.1)


def _resume(options: argparse.Namespace) -> None:
    _queue_up(find_run(options.run, options.runs))


def _queue_up(folder: RunFolder, get_ready: Callable[[], object] = lambda: None) -> None:
    enqueue(folder, get_ready)
    ensure_worker(folder.path.parent)
    print(f"Queued: {folder.name}")


def _add_extend(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--epochs", type=float, required=True, help="epochs to add")


def _extend(options: argparse.Namespace) -> None:
    folder = find_run(options.run, options.runs)
    _queue_up(folder, lambda: extend(folder, options.epochs))


def _add_delete(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def _delete(options: argparse.Namespace) -> None:
    folder = find_run(options.run, options.runs)
    if not options.yes:
        if not sys.stdin.isatty():
            raise RunError(
                f"Deleting {folder.name} is for good: say --yes where nobody can answer."
            )
        size = f"{size_bytes(folder) / 1e6:.1f} MB"
        for question in (f"Delete {folder.name} ({size})?", "There is no way back. Really delete?"):
            if input(f"{question} [y/N] ").strip().lower() != "y":
                print("Nothing was deleted.")
                return
    if folder.state() is RunState.QUEUED:
        withdraw(folder)
    delete_run(folder)
    print(f"Deleted {folder.name}.")


def _export(options: argparse.Namespace) -> int:
    folder = find_run(options.run, options.runs)
    # A process, not an import: nothing of ONNX is known on this side.
    words = [sys.executable, "-m", "export", "onnx", str(folder.path.resolve())]
    return subprocess.run(words, cwd=ROOT, check=False).returncode


def _add_move(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--to", type=int, default=1, help="place, 1 is next (default: 1)")


def _move(options: argparse.Namespace) -> None:
    folder = find_run(options.run, options.runs)
    move(folder, options.to)
    print(f"{folder.name} is at place {describe_place(folder)} of the queue.")


def describe_place(folder: RunFolder) -> int | None:
    """A run's place in the queue, from 1."""
    rows = {row["name"]: row["place"] for row in describe_runs(folder.path.parent)}
    return rows[folder.name]


def _withdraw(options: argparse.Namespace) -> None:
    folder = find_run(options.run, options.runs)
    withdraw(folder)
    print(f"Withdrew {folder.name} from the queue: it is {folder.state().value}.")


def _add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("number", type=int, nargs="?", help="runs at a time; left out: show it")
    add_runs_folder(parser)


def _limit(options: argparse.Namespace) -> None:
    if options.number is not None:
        set_runs_at_once(options.runs, options.number)
    print(f"Runs at once: {runs_at_once(options.runs)}")


def _work(options: argparse.Namespace) -> None:
    work(options.runs)


def _add_together(parser: argparse.ArgumentParser) -> None:
    add_runs_folder(parser)
    parser.add_argument(
        "--at-once", type=int, help="runs at a time (default: as `runs limit` has it)"
    )


def _together(options: argparse.Namespace) -> None:
    from resnet_core.training.together import queued, train_together

    if options.at_once is not None and options.at_once < 1:
        raise ConfigError(f"--at-once should be at least 1, not {options.at_once}.")
    step_back()
    at_once = options.at_once or runs_at_once(options.runs)
    train_together(queued(options.runs), at_once, _tell)


def _tell(folder: RunFolder, event: Event | Exception) -> None:
    """A line for each run that ends."""
    if isinstance(event, Finished):
        print(
            f"{folder.name}: test {event.test_error_percent:.2f} %, {clock(event.train_seconds)}",
            flush=True,
        )
    elif isinstance(event, Exception):
        print(f"{folder.name}: {event}", flush=True)
