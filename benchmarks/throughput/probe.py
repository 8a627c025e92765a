"""Tells whether something else used the machine while a round was measured."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

PROBE_STEPS = 130_000
PIECES = 3
TOLERANCE = 1.25


def fixed_work() -> float:
    """Seconds that a fixed piece of work took: more than usual means somebody else computes too.

    The quickest of a few pieces: a core that had nothing to do is slow while it wakes up, and on a
    machine with many of them that would pass for others' work. Those slow down every piece.
    """
    return min(_piece() for _ in range(PIECES))


def _piece() -> float:
    began = perf_counter()
    total = 0
    for number in range(PROBE_STEPS):
        total += number
    return perf_counter() - began


class LoadProbe:
    """Compares each reading with the quickest there was."""

    def __init__(self, work: Callable[[], float] = fixed_work):
        self._work = work
        self._quickest = min(work() for _ in range(5))

    def is_quiet(self) -> bool:
        """Read once."""
        seconds = self._work()
        self._quickest = min(self._quickest, seconds)
        return seconds <= TOLERANCE * self._quickest
