"""Seeds made of a run's seed and of what they are for. No torch."""

from __future__ import annotations

LEAST, BEYOND = -(2**63), 2**64  # PyTorch's generators take what lies between, LEAST too


def fit_seed(number: int) -> int:
    """A number as a seed that PyTorch takes: itself wherever it can be.

    A run's seed may have 63 bits, so its products need more. Only these are reduced, to 63 bits:
    runs that could be trained before draw what they drew.
    """
    return number if LEAST <= number < BEYOND else number % 2**63
