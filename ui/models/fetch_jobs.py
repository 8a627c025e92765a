"""Fetching trained nets from a page: the one process that may be at it, read from what it prints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from export.fetch import Places, default_url, default_weights_folder, is_fetched
from resnet_core.errors import RunError
from resnet_core.locks import hold
from resnet_core.pretrained.table import Weights, find_weights
from ui import run_jobs
from ui.child import Child, reap

STATUS_ROW = "fetch/now"  # its name where runs are listed too


@dataclass(frozen=True)
class Progress:
    """The last fetch that a page started, as far as it has come."""

    weights: Weights
    is_running: bool
    event: dict[str, Any]
    """What it said last; empty before it said anything."""
    problem: str
    """The sentence in which it failed; empty where it did not."""
    is_here: bool

    @property
    def share(self) -> float | None:
        """Of the download, 0 to 1; None before and after it."""
        if self.event.get("event") != "fetching":
            return None
        return min(1.0, float(self.event["done_bytes"] / max(1, self.event["total_bytes"])))


def places() -> Places:
    return Places(default_weights_folder().resolve(), run_jobs.runs_folder(), default_url())


def child() -> Child:
    folder = run_jobs.runs_folder() / ".fetch"
    return Child(folder / "last.job", folder / "last.log")


def progress() -> Progress | None:
    """The last fetch; None where none was ever started."""
    facts = child().facts()
    if not facts:
        return None
    weights = find_weights(facts["net"], facts["version"])
    return Progress(
        weights,
        child().process_id() is not None,
        _last_event(),
        child().problem(),
        is_fetched(weights, run_jobs.runs_folder()),
    )


def _last_event() -> dict[str, Any]:
    """The last whole line of JSON that the process printed."""
    try:
        lines = child().log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    for line in reversed(lines):
        try:
            found = json.loads(line)
        except ValueError:  # torn while it is written, or no event
            continue
        if isinstance(found, dict):
            return found
    return {}


def start(weights: Weights) -> None:
    """Fetch in a process of its own; what an earlier one fetched is gone on with.

    Raises:
        RunError: another is being fetched.
    """
    reap()
    child().job_file.parent.mkdir(parents=True, exist_ok=True)
    with hold(child().job_file.parent / ".lock"):
        if child().process_id() is not None:
            raise RunError("Another net is being fetched: wait for it, or cancel it.")
        where = places()
        words = [
            "export", "fetch", weights.net, "--version", weights.version, "--yes", "--json",
            "--weights-folder", str(where.weights_folder), "--runs", str(where.runs),
        ]  # fmt: skip
        about = {"net": weights.net, "version": weights.version}
        child().start(words, about, steps_back=True)


def stop() -> None:
    """End it; what has come stays for the next time."""
    child().stop()


def status_rows() -> list[dict[str, Any]]:
    """The live fetch as a row of the status line; none while nothing is fetched."""
    now = progress()
    if now is None or not now.is_running:
        return []
    row = {"name": STATUS_ROW, "state": "running", "doing": "Fetching", "model": now.weights.net}
    if now.share is None:
        return [row | {"eta_seconds": None}]
    return [
        row | {
            "eta_seconds": now.event["eta_seconds"], "step": now.event["done_bytes"],
            "total_steps": now.event["total_bytes"],
        }
    ]  # fmt: skip
