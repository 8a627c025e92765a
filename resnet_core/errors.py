"""The one family of errors a person can cause and mend.

A message says what was wrong, what was expected and what to do. Command lines print it in one
line and exit with 2; the app shows it in place. Anything else that is raised is a bug.
"""

from __future__ import annotations

from collections.abc import Sequence

MOST_QUOTED = 200  # characters


def printable(text: str) -> str:
    """Names in files may hold anything; what would steer a terminal becomes a mark."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def briefly(error: Exception) -> str:
    """Another library's own words, on one line and not too many: some quote half of a file."""
    words = " ".join(str(error).split())
    return words if len(words) <= MOST_QUOTED else f"{words[: MOST_QUOTED - 1]}…"


class LabError(Exception):
    """Something a person can mend; the message is one clear sentence or two, on one line.

    Messages quote names, paths and other libraries' words, which may hold anything: what would
    break the line or steer a terminal is taken out here, for all of them.
    """

    def __init__(self, message: str = ""):
        super().__init__(printable(" ".join(message.split())))


class ConfigError(LabError):
    """One or more options do not make sense; every problem is reported at once."""

    def __init__(self, problems: Sequence[str] | str):
        self.problems = [problems] if isinstance(problems, str) else list(problems)
        super().__init__(" ".join(self.problems))


class DataError(LabError):
    """A data set is missing, damaged or of the wrong shape."""


class ModelError(LabError):
    """A model is unknown, or its file does not fit the network it claims to be."""


class RunError(LabError):
    """A run folder is missing, unfinished, or busy."""


class PictureError(LabError):
    """A picture could not be read as one."""
