"""What limits a machine, as measured: a peak for every precision, and its memory. No torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Rate:
    """Something measured over rounds, a second; or why it was not."""

    device: str
    """cpu or cuda."""
    threads: int | str
    """A number, or all."""
    precision: str | None
    """Of a product; None for memory."""
    value: float | None
    """The median: GFLOP/s, or GB/s read and written together. None where there is none."""
    lowest: float | None = None
    highest: float | None = None
    size: int | None = None
    """The matrices' rows, the images convolved, or the bytes that one copy reads."""
    reason: str | None = None
    """Why there is no figure."""
    of: str | None = None
    """What was multiplied, in words; older files say nothing, and mean matrices."""


@dataclass(frozen=True)
class Machine:
    """The roofs: one over the other, the lower one limits."""

    peaks: tuple[Rate, ...]
    bandwidths: tuple[Rate, ...]

    def peak(self, device: str, threads: int | str, precision: str) -> Rate:
        """GFLOP/s of the fastest product; without a value where there is none."""
        for rate in self.peaks:
            if (rate.device, rate.threads, rate.precision) == (device, threads, precision):
                return rate
        where = "a GPU" if device == "cuda" else f"{threads} threads"
        reason = f"the peak of {precision} on {where} was not measured"
        return Rate(device, threads, precision, None, reason=reason)

    def bandwidth(self, device: str, threads: int | str) -> float | None:
        """GB/s of a large copy, read and written together."""
        found = (r for r in self.bandwidths if (r.device, r.threads) == (device, threads))
        return next((rate.value for rate in found), None)

    def to_dict(self) -> dict[str, Any]:
        return {
            "peak_unit": "GFLOP/s of the fastest product tried, median; a multiply-add is 2",
            "bandwidth_unit": "GB/s of a large copy, median, bytes read and written together",
            "peaks": [asdict(rate) for rate in self.peaks],
            "bandwidths": [asdict(rate) for rate in self.bandwidths],
        }
