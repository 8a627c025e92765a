"""The memory of another process, sampled as its work goes on."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

CONFIDENCE = 0.95
BLOCKS = 10


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
    def slope_mb(self) -> tuple[float, float] | None:
        """MB more for each 1,000 pictures over the second half, and half of its 95 % interval.

        The first half is warming up. Neighbouring samples resemble each other, so the line is put
        through means of BLOCKS parts, whose errors are nearly independent. None of too few samples.
        """
        half = len(self.done) // 2
        if len(self.done) - half < 2 * BLOCKS:
            return None
        done = _means(np.array(self.done[half:]) / 1000)
        held = _means(np.array(self.held_mb[half:]))
        slope, start = np.polyfit(done, held, 1)
        variance = ((held - slope * done - start) ** 2).sum() / (BLOCKS - 2)
        error = np.sqrt(variance / ((done - done.mean()) ** 2).sum())
        return float(slope), float(stdtrit(BLOCKS - 2, (1 + CONFIDENCE) / 2) * error)

    def to_dict(self) -> dict[str, Any]:
        slope = self.slope_mb
        return {
            "peak_mb": max(self.held_mb, default=None),
            "slope_mb_per_1000_pictures": slope[0] if slope else None,
            "slope_half_width_mb": slope[1] if slope else None,
            "samples": [list(sample) for sample in zip(self.done, self.held_mb, strict=True)],
        }


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([part.mean() for part in np.array_split(values, BLOCKS)])
