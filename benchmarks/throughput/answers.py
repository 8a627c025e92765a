"""The gate: engines whose answers are not the reference's have no speed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.throughput.measure import Result, Worker
from resnet_core.errors import LabError

LEAST_AGREEMENT_PERCENT = 99.5
LEAST_CHECKED = 200
"""Images answered at each batch size besides, in whole batches."""
LEAST_SAME_PERCENT = 99.0
"""Of them, as the engine itself answered before: sums are rounded otherwise from size to size."""


def check_answers(
    opened: Sequence[tuple[Result, Worker]],
    images: Path,
    expected: dict[str, NDArray[np.int64]],
    labels: NDArray[np.int64] | None = None,
    batch_sizes: Sequence[int] = (),
) -> None:
    """Compare every setup's classes with the reference's; too many others make it invalid.

    Args:
        images: pixels as `.npy`, (N, size, size, 3) uint8.
        expected: by model, the class of each image, (N,).
        labels: what the images show, (N,), where they are all of the test images.
        batch_sizes: those to be measured: an engine may prepare another program for each, so some
            answers at each are held against its own at the gate's.
    """
    for result, worker in opened:
        try:
            found = worker.classes(images)
        except LabError as error:
            result.reason = str(error)
            continue
        agreement = 100 * float((found == expected[result.setup.model]).mean())
        result.agreement_percent = agreement
        if labels is not None:
            result.test_error_percent = 100 * float((found != labels).mean())
        if agreement < LEAST_AGREEMENT_PERCENT:
            result.reason = (
                f"only {agreement:.2f} % of its answers are the reference's, less than "
                f"{LEAST_AGREEMENT_PERCENT} %"
            )
        else:
            result.reason = _differs_by_batch(worker, images, found, batch_sizes)


def _differs_by_batch(
    worker: Worker, images: Path, found: NDArray[np.int64], batch_sizes: Sequence[int]
) -> str:
    """At which batch size the engine gives other answers than it gave; empty if at none."""
    for size in batch_sizes:
        count = size * max(1, LEAST_CHECKED // size)
        try:
            classes = worker.classes(images, batch_size=size, count=count)
        except LabError as error:
            return str(error)
        agreement = 100 * float((classes == found[np.arange(count) % len(found)]).mean())
        if agreement < LEAST_SAME_PERCENT:
            return (
                f"only {agreement:.2f} % of its answers in batches of {size} are those it gives "
                f"otherwise, less than {LEAST_SAME_PERCENT} %"
            )
    return ""
