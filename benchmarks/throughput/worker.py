"""A process that holds one model open and answers over its standard streams, a line a request.

Each engine has a process of its own: thread pools, allocators and libraries of one do not touch
another's. The one who asks interleaves them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from export.catalogue import find_exported
from export.engines.catalogue import find_choice
from export.engines.interface import HoldsImages, OpenModel
from export.session import OnnxSession
from resnet_core.errors import LabError, briefly

STEADY_WITHIN = 0.1
STEADY_RUNS = 5
LONGEST_WARM_UP_SECONDS = 20.0
GATE_BATCH = 250


def serve() -> None:
    """Open what the first line says, then do what each further line asks."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is not an answer

    def say(answer: dict[str, Any]) -> None:
        try:
            print(json.dumps(answer), file=answers, flush=True)
        except BrokenPipeError:  # the one who asked was interrupted, and has said so
            os._exit(1)

    first = json.loads(sys.stdin.readline())
    try:
        model, size = open_asked(first)
    except LabError as error:
        say({"error": str(error)})
        return
    say({"name": model.name, "input_size": size, "holds": isinstance(model, HoldsImages)})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            say(_answer(model, asked) if "images" in asked else _time(model, size, asked))
        except Exception as error:  # engines' own exceptions, and a batch that no memory holds
            say({"error": f"it failed while it was asked ({briefly(error)})"})


def open_asked(first: dict[str, Any]) -> tuple[OpenModel, int]:
    """The model that a first line names, on its engine, and its input size in pixels.

    Raises:
        LabError: the engine can't be used here, or can't open the model.
    """
    choice = find_choice(f"{first['engine']}:{first['precision']}")
    file = find_exported(first["model"]).file
    size = OnnxSession(file, "cpu").facts.input_size
    return choice.engine.open(file, choice.precision, first["threads"]), size


def _answer(model: OpenModel, asked: dict[str, Any]) -> dict[str, Any]:
    """The class of every image in a file of pixels, (N, size, size, 3) uint8.

    Asked for so many in batches of a size, of the first ones alone, which come again where the
    file holds fewer.
    """
    images = np.load(Path(asked["images"]), mmap_mode="r")
    if count := asked.get("count"):
        images = images[np.arange(count) % len(images)]
    size = asked.get("batch_size", GATE_BATCH)
    batches = [images[at : at + size] for at in range(0, len(images), size)]
    classes = np.concatenate([model.run(np.ascontiguousarray(b)).argmax(1) for b in batches])
    return {"classes": classes.tolist()}


def _time(model: OpenModel, size: int, asked: dict[str, Any]) -> dict[str, Any]:
    """Run a batch over and over for some seconds, warmed up until it is steady.

    Asked so, the batch stays on the model's device, and nothing is copied.
    """
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (asked["batch_size"], size, size, 3), dtype=np.uint8)
    run: Callable[[], Any] = partial(model.run, images)
    if asked.get("held") and isinstance(model, HoldsImages):
        run = model.hold(images)
    if asked["warm"]:
        _warm(run)
    latencies: list[float] = []
    began = perf_counter()
    while (now := perf_counter()) - began < asked["seconds"] or not latencies:
        run()
        latencies.append(perf_counter() - now)
    return {"seconds": perf_counter() - began, "latencies": latencies}


def _warm(run: Callable[[], Any]) -> None:
    """Until the last few runs took the same time: compilers and caches have done their work."""
    began = perf_counter()
    last: list[float] = []
    while perf_counter() - began < LONGEST_WARM_UP_SECONDS:
        start = perf_counter()
        run()
        last = [*last, perf_counter() - start][-STEADY_RUNS:]
        if len(last) == STEADY_RUNS and max(last) <= (1 + STEADY_WITHIN) * min(last):
            return


if __name__ == "__main__":
    serve()
