"""What the pages do to runs: the commands a person would type, and the sentence where one fails."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.depth.study import SHIPPED_FOLDER, Study, list_studies, read_study, studies_folder
from resnet_core.errors import ConfigError, LabError, RunError
from resnet_core.runs.deletion import delete_run
from resnet_core.runs.folder import RunFolder, RunState, find_run
from resnet_core.runs.queue import enqueue, withdraw
from resnet_core.runs.summary import describe_runs
from resnet_core.runs.worker import ensure_worker
from resnet_core.training.config import TrainConfig, default_data_folder, default_runs_folder
from resnet_core.training.new_run import extend, reproducing_command
from resnet_core.zoo import imported_entries

ROOT = Path(__file__).resolve().parent.parent
COMMAND_LIMIT_SECONDS = 600
STUDY_ROW = "study/"  # what the names of a study's runs begin with, where other runs are listed too


def runs_folder() -> Path:
    """Where this app's runs are, as an absolute path."""
    return default_runs_folder().resolve()


def make_runs_folder() -> None:
    """Let there be a folder of runs, before anything is asked that would be kept in it.

    Raises:
        ConfigError: it can't be made, a file has its name say.
    """
    runs = runs_folder()
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"{runs} can't be made ({error.strerror}): choose another folder with --runs."
        ) from None


def run_named(name: str) -> RunFolder:
    """A run of this app.

    Raises:
        RunError: it is gone, or the name reaches outside the folder of runs.
    """
    if name in ("", "..") or Path(name).name != name:
        raise RunError("That is not the name of a run: choose one from the list.")
    return find_run(str(runs_folder() / name), runs_folder())


def train_command(config: TrainConfig, minutes: float | None) -> str:
    """The command line that starts this run from a terminal."""
    words = shlex.split(reproducing_command(config))
    if minutes is not None:
        at = words.index("--epochs")
        words[at : at + 2] = ["--minutes", f"{minutes:g}"]
    return shlex.join(words)


def start(config: TrainConfig, minutes: float | None) -> str:
    """Queue a new run and give its name; a budget in minutes is measured first, which takes seconds.

    Raises:
        LabError: the command's own sentence.
    """
    words = shlex.split(train_command(config, minutes))[3:]
    answer = command("resnet_core", *words, *_folders(), "--queue", "--json")
    return str(json.loads(answer.splitlines()[-1])["run"])


def estimate(config: TrainConfig) -> dict[str, Any]:
    """What `python -m resnet_core estimate` says of a run.

    Raises:
        LabError: the command's own sentence.
    """
    words = ["estimate", *shlex.split(reproducing_command(config))[4:]]
    found: dict[str, Any] = json.loads(
        command("resnet_core", *words, *_folders(), "--json").splitlines()[-1]
    )
    return found


def all_rows() -> list[dict[str, Any]]:
    """What `describe_runs` says of the runs, and of those of the person's studies."""
    runs = runs_folder()
    rows = describe_runs(runs)
    for study in list_studies():
        if study.parent != SHIPPED_FOLDER:
            of_study = describe_runs(study)
            rows += [row | {"name": f"{STUDY_ROW}{study.name}/{row['name']}"} for row in of_study]
    return rows


def stop(name: str) -> None:
    """Ask a running run to stop, or withdraw a queued one; a study's run stops with its study."""
    if name.startswith(STUDY_ROW):
        return stop_study(study_at(str(studies_folder() / name.split("/")[1])))
    folder = run_named(name)
    if folder.state() is RunState.QUEUED:
        withdraw(folder)
    elif folder.state() is RunState.RUNNING:
        folder.request_stop()
    return None


def resume(name: str) -> None:
    """Queue a run that stands still."""
    _queue_up(run_named(name))


def lengthen(name: str, epochs: float | None) -> None:
    """Extend a run and queue it; an empty field is no epochs, which is refused in a sentence."""
    folder = run_named(name)
    _queue_up(folder, lambda: extend(folder, epochs or 0))


def _queue_up(folder: RunFolder, get_ready: Callable[[], object] = lambda: None) -> None:
    enqueue(folder, get_ready)
    ensure_worker(runs_folder())


def delete(name: str) -> None:
    """Delete a run for good."""
    folder = run_named(name)
    if folder.state() is RunState.QUEUED:
        withdraw(folder)
    delete_run(folder)


def export(name: str) -> None:
    """Write the ONNX file of a run or an imported model; in place only once it agrees with PyTorch.

    Raises:
        LabError: there is no such run or model, or the command's own sentence.
    """
    runs = runs_folder()
    is_imported = name in {entry.name for entry in imported_entries(runs)}
    command(
        "export",
        "onnx",
        *([name, "--runs", str(runs)] if is_imported else [str(run_named(name).path)]),
    )


def study_words(
    families: list[str], depths: list[str], seeds: float, data: str, recipe: str, epochs: float
) -> list[str]:
    """The words after `python -m benchmarks` that train this study.

    Raises:
        ConfigError: something is missing.
    """
    if not families or not depths or not seeds or seeds < 1 or not epochs or epochs <= 0:
        raise ConfigError("A study needs a family, a depth, a seed and more than 0 epochs.")
    numbers = sorted(int(depth) for depth in depths)
    return [
        "depth", "--families", ",".join(families), "--depths", ",".join(map(str, numbers)),
        "--seeds", f"{seeds:g}", "--data", data, "--recipe", recipe, "--epochs", f"{epochs:g}",
    ]  # fmt: skip


def start_study(words: list[str]) -> str:
    """Queue a study, or go on with it, and give its folder.

    Raises:
        LabError: the command's own sentence.
    """
    options = ["--data-folder", str(default_data_folder().resolve()), "--queue", "--json"]
    answer = command("benchmarks", *words, *options)
    return str(Path(json.loads(answer.splitlines()[-1])["study"]))


def study_at(path: str | None) -> Study:
    """A study that the page offers.

    Raises:
        RunError: it is gone, or the path is none of ours.
    """
    if path not in [str(known) for known in list_studies()]:
        raise RunError("That is not one of the studies here: choose one from the list.")
    return read_study(Path(path))


def is_shipped(study: Study) -> bool:
    """Whether it came with the app: it can be looked at, not trained on."""
    return study.path.parent == SHIPPED_FOLDER


def stop_study(study: Study) -> None:
    """Withdraw what waits and ask the running ones to stop; their checkpoints stand."""
    from benchmarks.depth import engine

    engine.stop(study)


def command(module: str, *words: str) -> str:
    """Run `python -m module words…` and give what it printed.

    Raises:
        LabError: it failed, and its own sentence; or it took too long.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise LabError(
            f"It took more than {COMMAND_LIMIT_SECONDS // 60} minutes and was ended: run "
            f"`python -m {module} {words[0]}` in a terminal, which has no limit."
        ) from None
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"It ended with status {done.returncode}."]
        raise LabError(lines[-1].removeprefix("Error: "))
    return done.stdout


def _folders() -> list[str]:
    return ["--runs", str(runs_folder()), "--data-folder", str(default_data_folder().resolve())]
