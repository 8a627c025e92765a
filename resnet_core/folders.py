"""Writing folders so that a kill never leaves half of one: built out of sight, then put in place."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path

from resnet_core.files import is_abandoned, sync_folder

# As Linux's headers number them.
AT_FDCWD, RENAME_EXCHANGE = -100, 2


@contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """A hidden folder beside another one, to build in what comes there; gone afterwards.

    Raises:
        OSError: it can't be made.
    """
    folder = folder.resolve()  # what a link leads to, so that a rename stays on one disk
    for leftover in folder.parent.glob(f".{escape(folder.name)}.*.tmp"):
        with suppress(FileNotFoundError):  # its process has just ended
            if is_abandoned(leftover):
                shutil.rmtree(leftover, ignore_errors=True)
    place = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(place, ignore_errors=True)  # a killed process may have had the same number
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def swap_in(ready: Path, target: Path) -> None:
    """Put a finished folder in its place on the same disk; what was there is then at `ready`.

    On Linux the two are exchanged in one step, so that a kill leaves the old or the new one.
    Elsewhere it takes two renames, and `target` is gone for the blink between.

    Raises:
        OSError: the system refuses; `target` is as it was.
    """
    if not target.exists():
        ready.rename(target)
    elif not _exchange(ready, target):
        _replace(ready, target)
    sync_folder(target.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Two names change places in one step; False where the system or its disk can't do that."""
    if not sys.platform.startswith("linux"):
        return False
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    if renameat2 is None:  # a C library of before 2018
        return False
    names = os.fsencode(one), os.fsencode(other)
    failed = renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
    return not failed


def _replace(ready: Path, target: Path) -> None:
    aside = ready.with_name(f"{ready.name}.old")
    target.rename(aside)
    try:
        ready.rename(target)
    except OSError:
        aside.rename(target)
        raise
    aside.rename(ready)
