"""A process that a page starts and any page finds again: by a small file beside what it writes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import Any

from resnet_core.files import read_json, write_json
from resnet_core.runs.processes import process_started_at
from resnet_core.runs.worker import start_detached, step_back


@dataclass(frozen=True)
class Child:
    """The last process of one kind that a page started here."""

    job_file: Path
    log_file: Path

    def facts(self) -> dict[str, Any]:
        """Command, process and start of the last one; empty where there was none."""
        try:
            facts: dict[str, Any] = read_json(self.job_file)
        except (OSError, ValueError):
            return {}
        return facts

    def process_id(self) -> int | None:
        """The process, if it lives; None if it does not."""
        reap()  # an ended child is told from a living one only where the system says so
        facts = self.facts()
        if not facts or process_started_at(facts["process_id"]) != facts["process_started_at"]:
            return None
        return int(facts["process_id"])

    def problem(self) -> str:
        """The sentence in which the last one ended badly; empty where it did not."""
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

    def start(self, words: Sequence[str], about: dict[str, Any], steps_back: bool = False) -> None:
        """Run `python -m words…` in a session of its own; it outlives the app.

        Args:
            about: what to remember of it besides.
            steps_back: whether it runs below the app.
        """
        self.log_file.unlink(missing_ok=True)
        process = start_detached([sys.executable, "-m", *words], self.log_file)
        if steps_back:
            step_back(process.pid)
        write_json(
            self.job_file,
            {
                **about,
                "process_id": process.pid,
                "process_started_at": process_started_at(process.pid),
                "started_at": time(),
            },
        )
        _children.append(process)

    def stop(self) -> None:
        """End it; what it has written stays."""
        process_id = self.process_id()
        if process_id is not None:
            os.kill(process_id, signal.SIGTERM)


def reap() -> None:
    """Let ended children go, which would be kept as zombies otherwise."""
    _children[:] = [process for process in _children if process.poll() is None]


_children: list[Any] = []
