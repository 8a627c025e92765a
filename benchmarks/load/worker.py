"""A process that holds one model open and lets LoadGen ask it, a run a line over its input.

What LoadGen or an engine's library does to its process, it does to this one alone.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.load.loadgen import drive
from benchmarks.load.logs import describe, read_answers, read_detail
from benchmarks.load.samples import Samples
from benchmarks.load.scenarios import Run
from benchmarks.load.system import System
from benchmarks.throughput.answers import LEAST_AGREEMENT_PERCENT
from benchmarks.throughput.worker import open_asked
from export.engines.interface import OpenModel
from resnet_core.errors import LabError

WARM_SECONDS = 1.0
READING_SECONDS = 0.2
MOST_WARMED = 64
FAILED = 1


@dataclass
class Answers:
    """Where a process speaks to the one who asks it."""

    file: Any

    def say(self, answer: dict[str, Any]) -> None:
        print(json.dumps(answer), file=self.file, flush=True)

    def fail(self, error: Exception) -> None:
        """Say what the engine raised, and end: LoadGen would wait for its answer for ever."""
        self.say({"error": f"the engine failed while it was asked ({error})"})
        os._exit(FAILED)


@dataclass
class Asked:
    """A model and what it is asked about."""

    model: OpenModel
    images: NDArray[np.uint8]
    expected: NDArray[np.int64]
    """The class that the reference gives each image, (N,)."""
    _warmed: set[int] = field(default_factory=set)

    def call_seconds(self, count: int) -> float:
        """Seconds that a call with so many images takes at its quickest, warmed up."""
        if count not in self._warmed:
            # A server's batches vary, and an engine may prepare itself anew for each new size.
            for smaller in range(1, min(count, MOST_WARMED)):
                self._time_calls(smaller, 0)
            self._time_calls(count, WARM_SECONDS)
            self._warmed.add(count)
        return self._time_calls(count, READING_SECONDS)

    def _time_calls(self, count: int, seconds: float) -> float:
        """Call for some seconds, at least once; the quickest call's seconds."""
        images = np.resize(self.images, (count, *self.images.shape[1:]))
        quickest, began = float("inf"), perf_counter()
        while (now := perf_counter()) - began < seconds or quickest == float("inf"):
            self.model.run(images)
            quickest = min(quickest, perf_counter() - now)
        return quickest

    def run(self, run: Run, logs: Path, answers: Answers) -> dict[str, Any]:
        """The figures of one run."""
        system = drive(
            run,
            self.model,
            Samples(self.images),
            self.call_seconds(run.most_images),
            logs,
            answers.fail,
        )
        figures = describe(run, read_detail(logs)) | {
            "mean_images_per_call": system.asked / max(1, system.calls)
        }
        return figures | check_answers(figures, system, self.expected, logs)


def check_answers(
    figures: dict[str, Any], system: System, expected: NDArray[np.int64], logs: Path
) -> dict[str, Any]:
    """Hold the answers that LoadGen got against the reference's, each for the sample it asked."""
    samples, probabilities = read_answers(logs)
    agreement = 100 * float((probabilities.argmax(1) == expected[samples]).mean())
    wrong = ""
    if len(samples) != system.asked:
        wrong = f"LoadGen asked {system.asked} images and got {len(samples)} answers"
    elif agreement < LEAST_AGREEMENT_PERCENT:
        wrong = (
            f"only {agreement:.2f} % of its answers are the reference's for the image that was "
            f"asked, less than {LEAST_AGREEMENT_PERCENT} %"
        )
    verdict = {"valid": False, "reason": wrong} if wrong else {}
    return {"agreement_percent": agreement} | verdict


def serve() -> None:
    """Open what the first line says, then do the run that each further line describes."""
    answers = Answers(os.fdopen(os.dup(1), "w"))
    os.dup2(2, 1)  # what a library prints is not an answer
    lines: SimpleQueue[str] = SimpleQueue()
    Thread(target=_listen, args=(lines,), daemon=True).start()
    first = json.loads(lines.get())
    try:
        model, size = open_asked(first)
    except LabError as error:
        answers.say({"error": str(error)})
        return
    images = np.load(Path(first["images"]), mmap_mode="r")
    asked = Asked(model, images, np.load(Path(first["expected"])))
    answers.say({"name": model.name, "input_size": size})
    while True:
        told = json.loads(lines.get())
        try:
            answers.say(asked.run(Run(**told["run"]), Path(told["logs"]), answers))
        except Exception as error:  # engines' own exceptions share no base class
            answers.fail(error)


def _listen(lines: SimpleQueue[str]) -> None:
    """Pass lines on; nobody is left to answer at the input's end, whatever LoadGen is doing."""
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    serve()
