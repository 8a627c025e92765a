"""How fast something grows, sampled as it goes on: a line with its interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

CONFIDENCE = 0.95
BLOCKS = 10


@dataclass(frozen=True)
class Growth:
    """A slope, in the samples' unit for each unit of where they were taken."""

    slope: float
    half_width: float
    """Of the 95 % interval."""


def growth(at: ArrayLike, held: ArrayLike) -> Growth | None:
    """The least-squares line through means of ten blocks of samples; None of fewer than 20.

    Samples that follow one another are alike; the errors of their blocks' means are nearly
    independent, and Student's t has eight degrees of freedom.

    Args:
        at: where each sample was taken, in order: seconds, pictures.
        held: the samples.
    """
    where, values = np.asarray(at, float), np.asarray(held, float)
    if len(where) < 2 * BLOCKS:
        return None
    where, values = _means(where), _means(values)
    slope, start = np.polyfit(where, values, 1)
    variance = ((values - slope * where - start) ** 2).sum() / (BLOCKS - 2)
    error = np.sqrt(variance / ((where - where.mean()) ** 2).sum())
    return Growth(float(slope), float(stdtrit(BLOCKS - 2, (1 + CONFIDENCE) / 2) * error))


def _means(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([block.mean() for block in np.array_split(values, BLOCKS)])
