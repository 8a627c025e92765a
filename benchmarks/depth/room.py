"""How many nets to train at a time: small nets leave a big GPU idle, and crowd a small CPU."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Timer

from export.session import has_nvidia_gpu
from resnet_core.events import Event, Stepped
from resnet_core.runs.folder import RunFolder
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import create_run

TRIED = (1, 2, 4, 8, 16, 32)
LEAST_GAIN = 1.1  # below it, more at a time is only more memory
MEASURED_SECONDS = 5.0
ENDLESS_EPOCHS = 1e6
Measure = Callable[[int], float | None]


def choose_at_once(config: TrainConfig) -> int:
    """One on a CPU; on a GPU as many as still add throughput, measured for about a minute."""
    if config.device == "cpu" or not has_nvidia_gpu():
        return 1
    return best_number(lambda number: sum(throughput([config] * number)))


def best_number(measure: Measure, tried: tuple[int, ...] = TRIED) -> int:
    """The largest number that is still worth it.

    Args:
        measure: number of runs at a time → images/s of all together; None where they do not fit.
    """
    best, best_rate = tried[0], measure(tried[0])
    for number in tried[1:]:
        rate = measure(number)
        if rate is None or best_rate is None or rate < LEAST_GAIN * best_rate:
            break
        best, best_rate = number, rate
    return best


def throughput(configs: Sequence[TrainConfig], seconds: float = MEASURED_SECONDS) -> list[float]:
    """Train all these nets side by side in this process for a while: images/s of each.

    Counted from when the last of them has begun. A net that failed (for want of memory, say) has
    a rate of zero.
    """
    from resnet_core.training.together import train_together

    watch = _Watch([config.recipe.batch_size for config in configs], seconds)
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as place:
        folders = [
            create_run(_endless(config), Path(place), Path(place) / str(number))
            for number, config in enumerate(configs)
        ]
        watch.folders = folders
        train_together(_all_of(folders), len(folders), watch.note)
    return watch.rates()


def _endless(config: TrainConfig) -> TrainConfig:
    """Without an end, and compiled only where that was said: it takes longer than measuring."""
    # Nothing is set aside, so there is no best epoch to keep.
    recipe = config.recipe.changed(epochs=ENDLESS_EPOCHS, validation_images=0, keep="last")
    return replace(config, compile="on" if config.compile == "on" else "off", recipe=recipe)


def _all_of(folders: Sequence[RunFolder]) -> Iterator[RunFolder]:
    yield from folders


class _Watch:
    """Notes how far each run was when all had begun, and how far at the end; stops them there."""

    def __init__(self, batch_sizes: Sequence[int], seconds: float):
        self.folders: Sequence[RunFolder] = ()
        self._batch_sizes, self._seconds = batch_sizes, seconds
        self._lock, self._all_began = Lock(), Flag()
        self._first: dict[int, Stepped] = {}
        self._last: dict[int, Stepped] = {}
        self._gone: set[int] = set()

    def note(self, folder: RunFolder, event: Event | Exception) -> None:
        number = int(folder.name)
        with self._lock:
            if isinstance(event, Exception):
                self._gone.add(number)
            if isinstance(event, Stepped):
                # What a run did before the others began does not count.
                target = self._last if self._all_began.is_set() else self._first
                target[number] = event
            if len(self._gone | self._first.keys()) == len(self.folders):
                self._begin()

    def _begin(self) -> None:
        if not self._all_began.is_set():
            self._all_began.set()
            Timer(self._seconds, self._stop).start()

    def _stop(self) -> None:
        for folder in self.folders:
            with suppress(OSError):  # all have failed, and their folders are gone
                folder.request_stop()

    def rates(self) -> list[float]:
        return [self._rate(number) for number in range(len(self.folders))]

    def _rate(self, number: int) -> float:
        first, last = self._first.get(number), self._last.get(number)
        if first is None or last is None:
            return 0.0
        return (last.step - first.step) * self._batch_sizes[number] / (last.at - first.at)
