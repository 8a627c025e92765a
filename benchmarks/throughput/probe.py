"""Tells whether something else used the machine while a round was measured."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter, sleep

from export.threads import usable_cores

PIECE = bytes(2**20)
REPEATS = 16
"""So that a piece takes longer than a program keeps a core before it is another's turn."""
PIECES = 3
SPINNING_SECONDS = 0.06
"""An engine's threads wait for more work at full speed for up to 40 ms: no work of others."""
TOLERANCE = 1.25


def fixed_work() -> float:
    """Seconds that a fixed piece of work on every core at once took, until all were done.

    More than usual means that somebody else computes too. On one core alone it would not be seen:
    what else runs moves to another one, where the engine's threads will meet it. The quickest of a
    few is taken: a core that had nothing to do is slow while it wakes up, and on a machine with
    many of them that would pass for others' work. Those slow down every one.
    """
    sleep(SPINNING_SECONDS)
    cores = usable_cores()
    with ThreadPoolExecutor(cores) as pool:
        return min(_on_all(pool, cores) for _ in range(PIECES))


def _on_all(pool: ThreadPoolExecutor, cores: int) -> float:
    began = perf_counter()
    for piece in [pool.submit(_piece) for _ in range(cores)]:
        piece.result()
    return perf_counter() - began


def _piece() -> None:
    """Work of one core: hashing lets the other threads of Python run meanwhile."""
    for _ in range(REPEATS):
        hashlib.sha256(PIECE)


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
