"""Analyses as processes: started by the page, found again by any page, and read from their files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.why.settings import SHIPPED_FOLDER, Settings
from resnet_core.errors import ConfigError, RunError
from resnet_core.locks import hold
from resnet_core.training.config import default_data_folder
from ui import run_jobs
from ui.child import Child
from ui.command_lines import DATA, RUNS, command_line


@dataclass(frozen=True)
class WhyJob:
    """The last computation of one kind that a page started here."""

    analysis: str

    @property
    def folder(self) -> Path:
        return run_jobs.runs_folder() / "analysis"

    @property
    def results_file(self) -> Path:
        return self.folder / f"{self.analysis}.jsonl"

    @property
    def shipped_file(self) -> Path:
        return SHIPPED_FOLDER / f"{self.analysis}.jsonl"

    @property
    def child(self) -> Child:
        name = self.analysis
        return Child(self.folder / f"{name}.job.json", self.folder / f"{name}.log")

    def facts(self) -> dict[str, Any]:
        """Command, process and start of the last computation; empty where there was none."""
        return self.child.facts()

    def process_id(self) -> int | None:
        """The live process that computes; None if there is none."""
        return self.child.process_id()

    def problem(self) -> str:
        """The sentence in which the last computation ended badly; empty where it did not."""
        return self.child.problem()


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
        # Below the app: a picture is still classified at once.
        job.child.start(_words(job, settings), {"command": settings.command}, steps_back=True)


def shown_command(settings: Settings) -> str:
    """The command line that asks the same in a terminal."""
    return command_line("benchmarks", "why", *settings.words(), folders=(RUNS, DATA))


def stop(analysis: str) -> None:
    """End a computation; what it has written stays, and the same question goes on from there."""
    WhyJob(analysis).child.stop()


def _words(job: WhyJob, settings: Settings) -> list[str]:
    return [
        "benchmarks", "why", *settings.words(), "--out", str(job.results_file),
        "--runs", str(run_jobs.runs_folder()), "--data-folder", str(default_data_folder().resolve()),
    ]  # fmt: skip
