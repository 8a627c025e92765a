"""Nets of a study with the errors that a test gives them, and the verdicts found by their words."""

from __future__ import annotations

from pathlib import Path

from benchmarks.depth.results import Cell, FinishedRun
from benchmarks.depth.study import PlannedRun
from benchmarks.depth.verdicts import Verdict
from resnet_core.runs.folder import RunFolder


def cell(family: str, depth: int, train: list[float], test: list[float]) -> Cell:
    runs = [
        FinishedRun(
            PlannedRun(seed, depth, family), RunFolder(Path("nowhere")),
            {"train_error_percent": a, "test_error_percent": b, "params": 10 * depth,
             "multiply_adds": 1000 * depth, "train_seconds": 60.0},
        )
        for seed, (a, b) in enumerate(zip(train, test, strict=True))
    ]  # fmt: skip
    return Cell(family, depth, tuple(runs))


def find_verdict(verdicts: list[Verdict], *words: str) -> Verdict:
    (found,) = [v for v in verdicts if all(word in v.claim for word in words)]
    return found
