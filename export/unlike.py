"""Is a picture unlike what a net learned from? The energy score (Liu et al. 2020, arXiv 2010.03759).

The score is the logarithm of the sum of exponentials of the logits: a net has large logits for
what it knows. The largest logit alone (Hendrycks et al. 2022, arXiv 1911.11132) is measured beside
it. A low score is a hint, no proof: a net can be sure of what it never saw.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.confidence import Familiarity, Strangers, log_sum_exp, read_confidence
from export.session import OnnxSession

PERCENTILE = 5.0
"""Pictures like those of training that are allowed to be called unlike them, in percent."""


def unlike_note(file: Path, seen: NDArray[np.uint8]) -> str:
    """A sentence where a picture is unlike the training pictures; empty where not, or not measured.

    Args:
        file: the model's exact (fp32) ONNX file.
        seen: the pixels that the net sees, (size, size, 3).
    """
    familiarity = read_confidence(file).familiarity
    if familiarity is None:
        return ""
    logits, _ = _open_once(file, file.stat().st_mtime_ns).run(seen[None])
    score = float(energy(logits.astype(np.float64))[0])
    if score >= familiarity.threshold:
        return ""
    return (
        f"Unlike the pictures this net learned from: only {PERCENTILE:g} in 100 of those it was "
        f"tested on look this strange to it (energy score {score:.1f}, limit "
        f"{familiarity.threshold:.1f}). Its answer may mean nothing."
    )


@lru_cache(maxsize=8)
def _open_once(file: Path, _changed_at_ns: int) -> OnnxSession:
    return OnnxSession(file, "cpu")


def energy(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, classes) → (N,): high for what is familiar. It is Liu et al.'s -E at temperature 1."""
    return log_sum_exp(logits)


def auroc_percent(familiar: NDArray[np.float64], strange: NDArray[np.float64]) -> float:
    """How often a familiar score is the higher one of a pair, ties counting half, in percent."""
    ordered = np.sort(strange)
    below = np.searchsorted(ordered, familiar, "left")
    not_above = np.searchsorted(ordered, familiar, "right")
    return float(100 * (below + not_above).mean() / 2 / len(strange))


def judge(
    name: str, familiar: NDArray[np.float64], strange: NDArray[np.float64], threshold: float
) -> Strangers:
    """One kind of strangers against the test images, logits (N, classes) each."""
    scores = energy(strange)
    return Strangers(
        name=name,
        images=len(strange),
        auroc_percent=auroc_percent(energy(familiar), scores),
        flagged_percent=100 * float((scores < threshold).mean()),
        auroc_of_maximum_percent=auroc_percent(familiar.max(axis=1), strange.max(axis=1)),
    )


def summarise(
    like: NDArray[np.float64], like_name: str, test: NDArray[np.float64],
    strangers: dict[str, NDArray[np.float64]], command: str,
) -> Familiarity:  # fmt: skip
    """The threshold, and what it does to test images and to strangers; logits (N, classes) each.

    Args:
        like: of images like those of training; the threshold comes from them alone.
        test: of test images that are not among them.
    """
    threshold = float(np.percentile(energy(like), PERCENTILE))
    return Familiarity(
        threshold=threshold,
        threshold_from=like_name,
        test_images=len(test),
        test_flagged_percent=100 * float((energy(test) < threshold).mean()),
        strangers=tuple(judge(name, test, found, threshold) for name, found in strangers.items()),
        command=command,
    )
