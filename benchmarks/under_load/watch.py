"""What the app holds while it is asked: memory, open files, and how memory grows."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from threading import Event, Thread
from time import perf_counter
from typing import Any

from benchmarks.folder.memory import resident_mb
from benchmarks.growth import growth

EVERY_SECONDS = 0.5


@dataclass
class Watch:
    """Samples a process until it is stopped; use it in a `with`."""

    process_id: int
    seconds: list[float] = field(default_factory=list)
    held_mb: list[float] = field(default_factory=list)
    open_files: list[int] = field(default_factory=list)

    def __enter__(self) -> Watch:
        self._ended = Event()
        self._thread = Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        began = perf_counter()
        while not self._ended.is_set():
            held = resident_mb(self.process_id)
            if held is not None:
                self.seconds.append(perf_counter() - began)
                self.held_mb.append(held)
                self.open_files.append(_open_files(self.process_id))
            self._ended.wait(EVERY_SECONDS)

    def to_dict(self, warm_up_seconds: float) -> dict[str, Any]:
        slope = slope_mb_per_minute(self.seconds, self.held_mb, warm_up_seconds)
        return {
            "memory_mb": {"first": self.held_mb[0], "last": self.held_mb[-1], "peak": max(self.held_mb)},
            "memory_slope_mb_per_minute": slope,
            "open_files": {"first": self.open_files[0], "last": self.open_files[-1], "most": max(self.open_files)},
            "samples": [[round(s, 1), round(m, 1), f] for s, m, f in
                        zip(self.seconds, self.held_mb, self.open_files, strict=True)],
        }  # fmt: skip


def slope_mb_per_minute(
    seconds: list[float], held_mb: list[float], warm_up_seconds: float
) -> dict[str, float] | None:
    """Growth after the warm-up with its 95 % interval; None of too few samples."""
    late = [
        (at / 60, held) for at, held in zip(seconds, held_mb, strict=True) if at >= warm_up_seconds
    ]
    found = growth([minutes for minutes, _ in late], [held for _, held in late])
    if found is None:
        return None
    return {
        "slope": found.slope,
        "lowest": found.slope - found.half_width,
        "highest": found.slope + found.half_width,
    }


def _open_files(process_id: int) -> int:
    try:
        return len(os.listdir(f"/proc/{process_id}/fd"))
    except OSError:  # no /proc on this system, or the process has ended
        return 0
