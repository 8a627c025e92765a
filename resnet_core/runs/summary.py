"""What a list of runs says of each, gathered from its folder: for people, pages and machines."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from resnet_core.runs.folder import RunFolder, RunState, list_runs
from resnet_core.runs.queue import waiting

LAST_LINES = 200


def describe_run(folder: RunFolder) -> dict[str, Any]:
    """One flat row: who it is, where it stands, its latest figures (None where there are none)."""
    config, state = folder.config(), folder.state()
    events = folder.events()
    progress = _latest(events, ("step", "epoch"))
    epoch = _latest(events, ("epoch",))
    started = _latest(events, ("started",))
    measured = [e["validation_error_percent"] for e in events if e["event"] == "epoch"]
    validation = [error for error in measured if error is not None]
    summary = folder.summary() if state is RunState.FINISHED else {}
    return {
        "name": folder.name,
        "state": state.value,
        "model": _model_name(config),
        "family": config["model"]["family"],
        "depth": config["model"]["depth"],
        "data": config["data"],
        "recipe": config["recipe"]["name"],
        "epochs": config["recipe"]["epochs"],
        "seed": config["seed"],
        "step": progress.get("step", 0),
        "total_steps": progress.get("total_steps", started.get("total_steps")),
        "epoch": progress.get("epoch", 0),
        "train_error_percent": progress.get("train_error_percent"),
        "validation_error_percent": epoch.get("validation_error_percent"),
        "best_validation_error_percent": min(validation, default=None),
        "test_error_percent": summary.get("test_error_percent"),
        "images_per_second": progress.get("images_per_second"),
        "eta_seconds": progress.get("eta_seconds") if state is RunState.RUNNING else None,
        "train_seconds": epoch.get("train_seconds", 0.0),
        "exported": folder.onnx_file.is_file(),
        "reason": last_words(folder) if state is RunState.FAILED else None,
        "command": config["command"],
    }


def describe_runs(runs: Path) -> list[dict[str, Any]]:
    """All runs, newest first, with their place in the queue; a damaged folder says so in its row."""
    places = {run.name: place for place, run in enumerate(waiting(runs), start=1)}
    return [_describe_safely(run) | {"place": places.get(run.name)} for run in list_runs(runs)]


def last_words(folder: RunFolder) -> str:
    """Why a run failed: the last line of its reason, which for an exception names it."""
    try:
        lines = folder.error_file.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def log_tail(folder: RunFolder, lines: int = LAST_LINES) -> str:
    """The last lines that the run's process printed; empty where it was not started by the queue."""
    try:
        with open(folder.log_file, encoding="utf-8", errors="replace") as file:
            return "".join(deque(file, maxlen=lines))
    except OSError:
        return ""


def size_bytes(folder: RunFolder) -> int:
    """Bytes on disk of all the run's files."""
    return sum(path.stat().st_size for path in folder.path.rglob("*") if path.is_file())


def _describe_safely(folder: RunFolder) -> dict[str, Any]:
    try:
        return describe_run(folder)
    except Exception as error:  # a folder edited by hand must not hide the others
        return {"name": folder.name, "state": "damaged", "reason": f"{error}"}


def _model_name(config: dict[str, Any]) -> str:
    from resnet_core.models.config import ModelConfig

    return ModelConfig.from_dict(config["model"]).name


def _latest(events: list[dict[str, Any]], kinds: tuple[str, ...]) -> dict[str, Any]:
    return next((e for e in reversed(events) if e["event"] in kinds), {})
