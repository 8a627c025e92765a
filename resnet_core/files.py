"""Writing files so that a crash, a kill or a full disk never leaves half of one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from glob import escape
from hashlib import file_digest
from pathlib import Path
from time import time
from typing import Any

LONGEST_WRITE_SECONDS = 600  # an older temporary file belongs to a process that was killed


def replace_file(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a temporary file beside `path`, then put it there in one step.

    The order is what makes it safe: write, flush to disk, rename, flush the folder. A reader
    sees the old file or the new one; a kill at any moment leaves one of the two.

    Raises:
        OSError: the disk is full or the folder can't be written; `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        # To write, though nothing is written: Windows flushes no file that is open to be read only.
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)  # the name that who asked for it knows
        raise
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def _sweep_leftovers(path: Path) -> None:
    """Delete what kills in earlier writes of this file left beside it: checkpoints are large."""
    for leftover in path.parent.glob(f".{escape(path.name)}.*.tmp"):
        with suppress(FileNotFoundError):  # whoever wrote it has just put it in its place
            if is_abandoned(leftover):
                leftover.unlink()


def is_abandoned(leftover: Path) -> bool:
    """Whether `.NAME.PROCESS.tmp`, a file or a folder, was left behind by a kill.

    Raises:
        FileNotFoundError: it is gone.
    """
    is_old = time() - leftover.stat().st_mtime > LONGEST_WRITE_SECONDS
    return is_old and not _is_written(leftover)


def _is_written(leftover: Path) -> bool:
    """Whether the process that began it lives: a clock set forward makes every file look old."""
    writer = leftover.name.split(".")[-2]
    return writer == str(os.getpid()) or Path("/proc", writer).exists()


def write_text(path: Path, text: str) -> None:
    replace_file(path, lambda temporary: _write_utf8(temporary, text))


def _write_utf8(path: Path, text: str) -> None:
    # Bytes, so that line ends are the same on every system.
    path.write_bytes(text.encode("utf-8"))


def write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A folder's name may be bytes that are no text; JSON has the same escape for them as Python.
    write_text(path, text.encode("utf-8", "backslashreplace").decode())


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        OSError: it can't be read.
        ValueError: it is no JSON, no text, or nested beyond reason.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"{path.name} is nested too deeply") from None


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits.

    Raises:
        OSError: it can't be read.
    """
    with open(path, "rb") as file:
        return file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to disk."""
    if os.name == "nt":  # Windows can't open a folder to flush it
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
