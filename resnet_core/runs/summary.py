"""What a list of runs says of each, gathered from its folder: for people, pages and machines."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from resnet_core.models.config import ModelConfig
from resnet_core.runs.folder import RunFolder, RunState, list_runs
from resnet_core.runs.queue import waiting
from resnet_core.runs.standing import read_standing

LAST_LINES = 200


def describe_run(folder: RunFolder) -> dict[str, Any]:
    """One flat row: who it is, where it stands, its latest figures (None where there are none)."""
    config, state = folder.config(), folder.state()
    standing = read_standing(folder, is_growing=state is RunState.RUNNING)
    summary = folder.summary() if state is RunState.FINISHED else {}
    return {
        "name": folder.name,
        "state": state.value,
        "is_stopping": state is RunState.RUNNING and folder.stop_file.exists(),
        "model": ModelConfig.from_dict(config["model"]).name,
        "family": config["model"]["family"],
        "depth": config["model"]["depth"],
        "data": config["data"],
        "recipe": config["recipe"]["name"],
        "epochs": config["recipe"]["epochs"],
        "seed": config["seed"],
        "start": (config.get("start") or {}).get("name"),
        "train_part": config["recipe"].get("train_part", "all"),
        "step": standing.step,
        "total_steps": standing.total_steps,
        "epoch": standing.epoch,
        "train_error_percent": standing.train_error_percent,
        "validation_error_percent": standing.validation_error_percent,
        "best_validation_error_percent": standing.best_validation_error_percent,
        "test_error_percent": summary.get("test_error_percent"),
        "majority_error_percent": summary.get("majority_error_percent"),
        "images_per_second": standing.images_per_second,
        "eta_seconds": standing.eta_seconds if state is RunState.RUNNING else None,
        "train_seconds": standing.train_seconds,
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
