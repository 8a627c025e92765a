"""Locks between processes, which the system lets go when their holder dies, however it dies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock named by a file; waits for whoever has it."""
    file = _open(path)
    try:
        _lock(file, wait=True)
        yield
    finally:
        file.close()


@contextmanager
def try_hold(path: Path) -> Iterator[bool]:
    """Hold the lock if nobody has it; says whether it is held."""
    file = _open(path)
    try:
        yield _lock(file, wait=False)
    finally:
        file.close()


def try_lock(file: IO[bytes]) -> bool:
    """Lock a file that is open for as long as it is, if nobody has it; says whether it is locked."""
    return _lock(file, wait=False)


def _open(path: Path) -> IO[bytes]:
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "ab")


if os.name == "nt":
    import msvcrt
    from time import sleep

    def _lock(file: IO[bytes], wait: bool) -> bool:
        while True:
            try:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
                return True
            except OSError:
                if not wait:
                    return False
                sleep(0.05)

else:
    import fcntl

    def _lock(file: IO[bytes], wait: bool) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
