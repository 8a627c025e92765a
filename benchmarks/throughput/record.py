"""Writes results to their file while they are measured, so that a look or a stop loses nothing."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.throughput.measure import Result
from benchmarks.throughput.settings import Method
from benchmarks.throughput.stored import FORMAT
from resnet_core.files import write_json

WRITE_EVERY_SECONDS = 1.0


@dataclass
class Record:
    """The file of one measurement, or nothing where none was asked for."""

    path: Path | None
    about: dict[str, Any]
    """What stays: environment, command, settings, models."""
    method: Method
    results: Sequence[Result]
    _began_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    _written: float = float("-inf")
    _measuring_since: float | None = None

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row a setup and batch size, with what there is so far."""
        return [row for result in self.results for row in result.rows(self.method.batch_sizes)]

    def note(self, now: str) -> None:
        """A step was done; the file follows at most once a second, between measurements."""
        self._measuring_since = self._measuring_since or monotonic()
        if monotonic() - self._written >= WRITE_EVERY_SECONDS:
            self.write(now)

    def write(self, now: str, finished: bool = False) -> None:
        """Put down what there is, in one step."""
        if self.path is None:
            return
        progress = self._progress() | {"finished": finished, "now": now}
        head = {"format": FORMAT, "began_at": self._began_at, **self.about, "progress": progress}
        write_json(self.path, head | {"rows": self.rows})
        self._written = monotonic()

    def _progress(self) -> dict[str, Any]:
        measured = [result for result in self.results if result.is_valid]
        each = len(self.method.batch_sizes) * self.method.rounds * self.method.processes
        since = self._measuring_since
        return {
            "done": sum(len(rates) for result in measured for rates in result.rates.values()),
            "total": each * len(measured),
            "measuring_seconds": round(monotonic() - since, 1) if since is not None else 0.0,
        }


@contextmanager
def interrupted_by_terminate() -> Iterator[None]:
    """Let SIGTERM end the work as an interrupt does: by an exception, past what must be closed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
