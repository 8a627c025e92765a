"""A number with its noun, which English changes with the number."""

from __future__ import annotations


def counted(number: float, noun: str) -> str:
    """1 epoch, 0.5 epochs, 1,053 steps.

    Args:
        noun: of one, such as "epoch"; what makes it many is an s.
    """
    said = f"{number:,}" if isinstance(number, int) else f"{number:g}"
    return f"{said} {noun}" if number == 1 else f"{said} {noun}s"
