"""What came out under load, as numbers and as lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.under_load.client import BUSY, ERROR, LOST, RIGHT, WRONG, Outcome
from export.latency import percentiles

KINDS = (RIGHT, WRONG, LOST, ERROR, BUSY)
SAID_AT_MOST = 5


def outcomes(told: Sequence[Sequence[Outcome]]) -> dict[str, Any]:
    """How many questions ended how, and what was said of those that did not end well."""
    every = [outcome for client in told for outcome in client]
    kinds = Counter(outcome.kind for outcome in every)
    said = list(dict.fromkeys(each.said for each in every if each.kind != RIGHT))
    return {"outcomes": {kind: kinds[kind] for kind in KINDS}, "said": said[:SAID_AT_MOST]}


def latency_ms(told: Sequence[Sequence[Outcome]]) -> dict[str, float | None]:
    """Percentiles of the right answers' times and the longest; None where they are too few to tell."""
    times = [each.milliseconds for client in told for each in client if each.kind == RIGHT]
    if not times:
        return {}
    found = {name.removesuffix("_ms"): value for name, value in percentiles(times).items()}
    return {**found, "most": max(times)}


def fairness(told: Sequence[Sequence[Outcome]]) -> dict[str, float]:
    """Jain's index of the clients' answers, 1 where all have as many (Jain, Chiu, Hawe 1984)."""
    answers = np.array([sum(each.kind == RIGHT for each in client) for client in told], float)
    squares = float((answers**2).sum())
    index = float(answers.sum() ** 2 / (len(answers) * squares)) if squares else 0.0
    return {"jain": index, "fewest": float(answers.min()), "most": float(answers.max())}


def is_clean(result: dict[str, Any]) -> bool:
    """No question was lost, answered for another, or ended in an error; none of the burst's either."""
    found, burst = result["outcomes"], result["burst"]
    return (
        found[RIGHT] > 0 and not any(found[kind] for kind in KINDS if kind != RIGHT)
        and set(burst["answers"]) <= {RIGHT} and not burst["otherwise_refused"]
    )  # fmt: skip


def as_text(result: dict[str, Any]) -> str:
    """The figures in six lines."""
    found, times, fair = result["outcomes"], result["latency_ms"], result["fairness"]
    memory, files, burst = result["memory_mb"], result["open_files"], result["burst"]
    slope = result["memory_slope_mb_per_minute"]
    growth = (
        "too short for a slope"
        if slope is None
        else f"{slope['slope']:+.2f} MB a minute after warm-up ({slope['lowest']:+.2f} to {slope['highest']:+.2f})"
    )
    shares = ", ".join(
        f"{name} {'too few' if ms is None else f'{ms:,.0f} ms'}" for name, ms in times.items()
    )
    return "\n".join(
        (
            f"{result['settings']['clients']} clients, {result['seconds']:.0f} s: "
            + ", ".join(f"{found[kind]:,} {kind}" for kind in KINDS),
            f"latency: {shares}; {found[RIGHT] / result['seconds']:.1f} answers/s",
            f"fairness: Jain's index {fair['jain']:.4f}, {fair['fewest']:.0f} to {fair['most']:.0f} answers a client",
            f"memory of the app: {memory['first']:,.0f} MB to {memory['last']:,.0f} MB, at most {memory['peak']:,.0f} MB, "
            f"{growth}; open files {files['first']} to {files['last']}, at most {files['most']}",
            f"meanwhile: a training run, {result['benchmarks_finished']} benchmarks finished, "
            f"{result['benchmarks_failed']} failed",
            f"burst of {burst['asked']}: {burst['taken']} taken, answers {burst['answers']}, "
            f"{burst[BUSY]} told that the app is busy",
        )
    )
