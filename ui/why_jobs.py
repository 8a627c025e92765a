"""Analyses as processes: started by the page, found again by any page, and read from their files."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

from benchmarks.why.settings import SHIPPED_FOLDER, Settings
from resnet_core.errors import ConfigError, RunError
from resnet_core.files import read_json, write_json
from resnet_core.locks import hold
from resnet_core.runs.folder import process_started_at
from resnet_core.runs.worker import start_detached, step_back
from resnet_core.training.config import default_data_folder
from ui import jobs


@dataclass(frozen=True)
class WhyJob:
    """The last computation of one kind that a page started here."""

    analysis: str

    @property
    def folder(self) -> Path:
        return jobs.runs_folder() / "analysis"

    @property
    def results_file(self) -> Path:
        return self.folder / f"{self.analysis}.jsonl"

    @property
    def shipped_file(self) -> Path:
        return SHIPPED_FOLDER / f"{self.analysis}.jsonl"

    @property
    def job_file(self) -> Path:
        return self.folder / f"{self.analysis}.job.json"

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.analysis}.log"

    def facts(self) -> dict[str, Any]:
        """Command, process and start of the last computation; empty where there was none."""
        try:
            facts: dict[str, Any] = read_json(self.job_file)
        except (OSError, json.JSONDecodeError):
            return {}
        return facts

    def process_id(self) -> int | None:
        """The live process that computes; None if there is none."""
        facts = self.facts()
        if not facts or process_started_at(facts["process_id"]) != facts["process_started_at"]:
            return None
        return int(facts["process_id"])

    def problem(self) -> str:
        """The sentence in which the last computation ended badly; empty where it did not."""
        if not self.facts() or self.process_id() is not None:
            return ""
        try:
            lines = self.log_file.read_text(encoding="utf-8", errors="replace").strip().split("\n")
        except OSError:
            return ""
        if lines[-1].startswith("Error: "):
            return lines[-1].removeprefix("Error: ")
        is_crash = any(line.startswith("Traceback") for line in lines)
        return f"It ended unexpectedly: {lines[-1]}" if is_crash else ""


def start(settings: Settings) -> None:
    """Compute in a process of its own; an unfinished file of the same question goes on.

    Raises:
        ConfigError: no net is chosen.
        RunError: one of this kind is being computed already.
    """
    if not settings.models:
        raise ConfigError("No net is chosen: choose one or more.")
    job = WhyJob(settings.analysis)
    job.folder.mkdir(parents=True, exist_ok=True)
    with hold(job.folder / ".lock"):
        if job.process_id() is not None:
            raise RunError("This is being computed already: wait for it, or stop it first.")
        job.log_file.unlink(missing_ok=True)
        process = start_detached([sys.executable, "-m", *_words(job, settings)], job.log_file)
        step_back(process.pid)  # a picture is still classified at once
        write_json(
            job.job_file,
            {
                "command": settings.command,
                "process_id": process.pid,
                "process_started_at": process_started_at(process.pid),
                "started_at": time(),
            },
        )
    _children.append(process)


def stop(analysis: str) -> None:
    """End a computation; what it has written stays, and the same question goes on from there."""
    process_id = WhyJob(analysis).process_id()
    if process_id is not None:
        os.kill(process_id, signal.SIGTERM)


def reap() -> None:
    """Let ended children go, which would be kept as zombies otherwise."""
    _children[:] = [process for process in _children if process.poll() is None]


def _words(job: WhyJob, settings: Settings) -> list[str]:
    return [
        "benchmarks", "why", *settings.words(), "--out", str(job.results_file),
        "--runs", str(jobs.runs_folder()), "--data-folder", str(default_data_folder().resolve()),
    ]  # fmt: skip


_children: list[Any] = []
