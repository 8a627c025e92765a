"""Finds the fastest engine for a model on this machine, among those that give its answers.

Every engine that runs the exported file is opened here, put before the same test images as the
exact file on ONNX Runtime, and timed on one picture at a time, in turn with the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter, sleep, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.catalogue import Exported
from export.engines.catalogue import Choice, list_choices
from export.engines.interface import ALL_THREADS, OpenModel
from export.gate import Gate
from export.latency import percentiles, samples_needed
from export.session import OnnxSession
from export.tuned import FORMAT, USUAL, cache_file, environment
from resnet_core.errors import LabError, ModelError
from resnet_core.files import write_json

LEAST_AGREEMENT_PERCENT = 99.5
MOST_LOST_POINTS = 0.1
"""Error, in points of percent, that a faster engine may add."""
ALONE, MOST_OTHERS = 200, 2
"""Pictures asked one at a time as well, and how many may get another answer, by rounding."""
BATCH = 128
WARM_UPS = 20
ROUNDS = 5
SAMPLES = samples_needed(0.99)
LONGEST_SECONDS = 15.0
"""Of timing one engine, over all rounds: a slow one gets fewer samples, and no 99th percentile."""
PAUSE_SECONDS = 0.05
"""Between two engines: threads of the one before may still spin, waiting for more work."""


@dataclass
class Candidate:
    """One engine, and what was found of it."""

    choice: Choice
    model: OpenModel | None = None
    agreement_percent: float | None = None
    error_percent: float | None = None
    images_per_second: float | None = None
    reason: str = ""
    latencies_ms: list[float] = field(default_factory=list)

    @property
    def is_valid(self) -> bool:
        return not self.reason and bool(self.latencies_ms)

    def to_dict(self) -> dict[str, Any]:
        return {
            "engine": self.choice.engine.key,
            "precision": self.choice.precision,
            "runs": self.model.name if self.model else None,
            "agreement_percent": self.agreement_percent,
            "test_error_percent": self.error_percent,
            "valid": self.is_valid,
            "reason": self.reason or None,
            **percentiles(self.latencies_ms if self.is_valid else []),
            "images_per_second": self.images_per_second if self.is_valid else None,
            "batch_size": BATCH,
        }


def tune(exported: Exported, gate: Gate) -> Iterator[str]:
    """Measure, and keep what was found where the classifier looks for it.

    Yields:
        What is being done, in words.

    Raises:
        ModelError: the exact file can't be opened, or does not answer.
    """
    size = OnnxSession(exported.file, "cpu").facts.input_size
    candidates = [Candidate(choice) for choice in list_choices(with_pytorch=False)]
    for candidate in candidates:
        yield f"opening {candidate.choice.key}"
        _open(candidate, exported.file)
    yield from _check(candidates, gate)
    alive = [candidate for candidate in candidates if not candidate.reason]
    yield from _time(alive, size)
    chosen = choose(candidates)
    write_json(
        cache_file(exported.file),
        {
            "format": FORMAT,
            "model": exported.name,
            "measured_at": time(),
            "environment": environment(),
            "gate": gate.said,
            "rows": [candidate.to_dict() for candidate in candidates],
            "chosen": chosen,
        },
    )


def choose(candidates: list[Candidate]) -> str:
    """The valid one with the lowest median latency; empty if none is."""
    valid = [candidate for candidate in candidates if candidate.is_valid]
    if not valid:
        return ""
    return min(valid, key=lambda candidate: median(candidate.latencies_ms)).choice.key


def _open(candidate: Candidate, file: Path) -> None:
    choice = candidate.choice
    if choice.obstacle:
        candidate.reason = choice.obstacle.reason
        return
    try:
        candidate.model = choice.engine.open(file, choice.precision, ALL_THREADS)
    except LabError as error:
        candidate.reason = str(error)


def _check(candidates: list[Candidate], gate: Gate) -> Iterator[str]:
    """Compare every candidate's classes with those of the exact file."""
    usual = next(c for c in candidates if c.choice.key == USUAL)
    if usual.model is None:
        raise ModelError(usual.reason)
    exact: NDArray[np.int64] | None = None
    # The exact one first: the others are held against it.
    for candidate in sorted(candidates, key=lambda c: c is not usual):
        if candidate.model is None:
            continue
        yield f"comparing {candidate.choice.key}"
        try:
            began = perf_counter()
            found = _classes(candidate.model, gate.images)
            candidate.images_per_second = len(gate.images) / (perf_counter() - began)
        except LabError as error:
            if exact is None:  # there is nothing to hold the others against
                raise
            candidate.reason = str(error)
            continue
        exact = found if exact is None else exact
        _judge(candidate, found, exact, gate.labels)
        if not candidate.reason:
            candidate.reason = _differs_alone(candidate.model, gate.images, found)


def _differs_alone(
    model: OpenModel, images: NDArray[np.uint8], found: NDArray[np.int64]
) -> str:  # fmt: skip
    """Whether one picture at a time gets other answers, in words: that may be another program."""
    asked = images[:ALONE]
    try:
        alone = np.array([model.run(image[None]).argmax() for image in asked])
    except LabError as error:
        return str(error)
    others = int((alone != found[:ALONE]).sum())
    if others <= MOST_OTHERS:
        return ""
    return (
        f"{others} of {len(asked)} pictures asked one at a time got other answers than in batches"
    )


def _judge(
    candidate: Candidate, found: NDArray[np.int64], exact: NDArray[np.int64],
    labels: NDArray[np.int64] | None,
) -> None:  # fmt: skip
    agreement = 100 * float((found == exact).mean())
    candidate.agreement_percent = agreement
    if agreement < LEAST_AGREEMENT_PERCENT:
        candidate.reason = (
            f"only {agreement:.2f} % of its answers are those of {USUAL}, less than "
            f"{LEAST_AGREEMENT_PERCENT} %"
        )
    if labels is None:
        return
    candidate.error_percent = 100 * float((found != labels).mean())
    lost = candidate.error_percent - 100 * float((exact != labels).mean())
    if lost > MOST_LOST_POINTS and not candidate.reason:
        candidate.reason = f"it adds {lost:.2f} points of error, more than {MOST_LOST_POINTS}"


def _classes(model: OpenModel, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    batches = range(0, len(images), BATCH)
    return np.concatenate([model.run(images[at : at + BATCH]).argmax(1) for at in batches])


def _time(candidates: list[Candidate], size: int) -> Iterator[str]:
    """One picture at a time, a share of the samples a round, engines in turn."""
    picture = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), dtype=np.uint8)
    for number in range(ROUNDS):
        yield f"timing, round {number + 1} of {ROUNDS}"
        for candidate in candidates:
            if candidate.model is None or candidate.reason:
                continue
            sleep(PAUSE_SECONDS)
            try:
                for _ in range(WARM_UPS):
                    candidate.model.run(picture)
                candidate.latencies_ms += _sample(candidate.model, picture)
            except LabError as error:  # the others are measured all the same
                candidate.reason = str(error)


def _sample(model: OpenModel, picture: NDArray[np.uint8]) -> list[float]:
    taken: list[float] = []
    end = perf_counter() + LONGEST_SECONDS / ROUNDS
    while len(taken) < SAMPLES / ROUNDS and (now := perf_counter()) < end:
        model.run(picture)
        taken.append(1000 * (perf_counter() - now))
    return taken
