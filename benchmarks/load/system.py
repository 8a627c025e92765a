"""The system under test: a queue, and a thread that answers what waits in it, some at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from benchmarks.load.samples import Samples
from export.engines.interface import OpenModel

Answer = Callable[[Sequence[int], NDArray[np.float32]], None]
"""(queries, (n,); their probabilities, (n, classes)) → nothing."""


@dataclass(frozen=True)
class Asked:
    """One image of a query."""

    query: int
    """What LoadGen knows it by."""
    sample: int
    at: float
    """Seconds of `perf_counter`."""


class System:
    """Answers queries first come, first served, up to `most_images` in one call of the engine.

    One thread calls the engine: the threads that compute are the engine's own.

    Args:
        longest_wait_ms: how long an image may wait for others; 0 takes whatever waits.
        answer: takes the answers of each call.
        fail: takes what the engine raised; nothing is answered after it.
    """

    def __init__(
        self,
        model: OpenModel,
        samples: Samples,
        most_images: int,
        longest_wait_ms: float,
        answer: Answer,
        fail: Callable[[Exception], None],
    ):
        self._model, self._samples = model, samples
        self._most, self._longest_wait = most_images, longest_wait_ms / 1000
        self._answer, self._fail = answer, fail
        self._waiting: deque[Asked] = deque()
        self._news = Condition()
        self._is_closed = False
        self.asked = 0
        self.calls = 0
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def issue(self, queries: Sequence[tuple[int, int]]) -> None:
        """Put (query, sample) pairs into the queue; returns at once."""
        now = perf_counter()
        with self._news:
            self._waiting.extend(Asked(query, sample, now) for query, sample in queries)
            self.asked += len(queries)
            self._news.notify()

    def close(self) -> None:
        """Answer what waits, then end the thread."""
        with self._news:
            self._is_closed = True
            self._news.notify()
        self._thread.join()

    def _work(self) -> None:
        try:
            while batch := self._take():
                pixels = self._samples.take([asked.sample for asked in batch])
                probabilities = np.ascontiguousarray(self._model.run(pixels), np.float32)
                self.calls += 1
                self._answer([asked.query for asked in batch], probabilities)
        except Exception as error:
            self._fail(error)

    def _take(self) -> list[Asked]:
        """The next images for the engine; none when closed and nothing waits."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._is_closed)
            if self._waiting and self._longest_wait:
                left = self._waiting[0].at + self._longest_wait - perf_counter()
                self._news.wait_for(
                    lambda: len(self._waiting) >= self._most or self._is_closed, max(0.0, left)
                )
            count = min(self._most, len(self._waiting))
            return [self._waiting.popleft() for _ in range(count)]
