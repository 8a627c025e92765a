"""What a parser under attack is, and what counts as having survived."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from resnet_core.errors import LabError

MOST_SECONDS = 2.0
"""Of processor time, for one input: a busy machine must not look like a slow parser."""
LONGEST_SENTENCE = 4000


@dataclass(frozen=True)
class Prepared:
    """A parser ready to be fed."""

    seeds: Sequence[bytes]
    """Good inputs, from which bad ones are made."""
    read: Callable[[bytes], object]
    """Feeds one input. Raises a LabError where it is refused; anything else is a bug."""


@dataclass(frozen=True)
class Target:
    """A parser of outside data."""

    name: str
    what: str
    """What it reads, in words."""
    prepare: Callable[[Path], Prepared]
    """Given an empty folder to write inputs into. Imports happen here, to be instrumented."""
    share: int
    """How many of a campaign's cases it gets, against the others' shares: slow parsers get fewer."""
    longest_bytes: int = 4096


class BrokenOracleError(AssertionError):
    """An answer that is neither a good result nor one sentence in time."""


def outcome(read: Callable[[bytes], object], data: bytes) -> str:
    """Feed one input: `read` or `refused`.

    Raises:
        BrokenOracleError: it took too long, or its refusal is not one line.
        Exception: whatever the parser let through.
    """
    began = process_time()
    said = "read"
    try:
        read(data)
    except LabError as error:
        said = "refused"
        _check_sentence(str(error))
    if (seconds := process_time() - began) > MOST_SECONDS:
        raise BrokenOracleError(f"took {seconds:.1f} s of processor time")
    return said


def _check_sentence(text: str) -> None:
    if not text.strip() or len(text) > LONGEST_SENTENCE:
        raise BrokenOracleError(f"refused with {len(text)} characters")
    if not text.isprintable():
        raise BrokenOracleError("refused with characters that a terminal would obey")
    text.encode("utf-8")  # a lone surrogate could not be printed
