"""The memory of another process, sampled as its work goes on."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.growth import Growth, growth


def resident_mb(process_id: int) -> float | None:
    """Main memory that a process holds now, in MB of 10⁶ bytes; None if it has ended."""
    if sys.platform != "linux":
        import psutil

        try:
            return psutil.Process(process_id).memory_info().rss / 1e6
        except psutil.Error:
            return None
    try:
        lines = Path(f"/proc/{process_id}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    # In kB of 1,024 bytes; a process that has ended but was not waited for has none.
    held = [int(line.split()[1]) for line in lines if line.startswith("VmRSS:")]
    return held[0] * 1024 / 1e6 if held else None


@dataclass
class MemoryCurve:
    """Memory by how much was done."""

    done: list[int] = field(default_factory=list)
    held_mb: list[float] = field(default_factory=list)

    def sample(self, process_id: int, done: int) -> None:
        held = resident_mb(process_id)
        if held is not None:
            self.done.append(done)
            self.held_mb.append(held)

    @property
    def growth_mb(self) -> Growth | None:
        """MB more for each 1,000 pictures over the second half; None of too few samples.

        The first half is warming up.
        """
        half = len(self.done) // 2
        return growth([done / 1000 for done in self.done[half:]], self.held_mb[half:])

    def to_dict(self) -> dict[str, Any]:
        found = self.growth_mb
        return {
            "peak_mb": max(self.held_mb, default=None),
            "slope_mb_per_1000_pictures": found.slope if found else None,
            "slope_half_width_mb": found.half_width if found else None,
            "samples": [list(sample) for sample in zip(self.done, self.held_mb, strict=True)],
        }
