"""The answers about many files as a CSV that an interrupted run leaves whole, and the next goes on with.

A kill can tear the last record, never one before: records are only ever added at the end.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from export.folder.stream import Told
from resnet_core.errors import LabError
from resnet_core.locks import try_lock

FIRST_COLUMNS = ["file", "class", "probability", "doubt"]
START = ",".join([*FIRST_COLUMNS, ""]).encode()
LAST_COLUMNS = ["problem", "model", "engine"]
FORMULA_MARKS = ("=", "+", "-", "@", "\t", "\r")
# A file name is bytes and need not be text: those that are none come back as they were.
ENCODING, ERRORS = "utf-8", "surrogateescape"


@dataclass(frozen=True)
class Form:
    """What the records of one table have in common."""

    model: str
    engine: str
    class_names: tuple[str, ...]
    top_k: int

    @property
    def columns(self) -> list[str]:
        ranks = range(2, self._shown + 1)
        others = [f"{name}_{rank}" for rank in ranks for name in ("class", "probability")]
        return [*FIRST_COLUMNS, *others, *LAST_COLUMNS]

    @property
    def _shown(self) -> int:
        return min(self.top_k, len(self.class_names))

    def record(self, told: Told) -> list[str]:
        file, last = name_of(told.path), [told.problem, self.model, self.engine]
        if told.probabilities is None:
            return [file, *[""] * (len(self.columns) - 1 - len(last)), *last]
        ranked = [
            cell
            for index in told.ranks[: self._shown]
            for cell in (no_formula(self.class_names[index]), f"{told.probabilities[index]:.6f}")
        ]
        return [file, *ranked[:2], f"{told.doubt:.6f}", *ranked[2:], *last]


@dataclass
class Table:
    """An open table: which files are in it, and where the next go."""

    file: IO[bytes]
    form: Form
    is_read: dict[str, bool] = field(default_factory=dict)
    """By the file's name in the table: whether it could be read as a picture."""

    def __contains__(self, path: Path) -> bool:
        return name_of(path) in self.is_read

    def unreadable(self, paths: Iterable[Path]) -> int:
        """How many of these the table has, and could not be read."""
        return sum(not self.is_read.get(name_of(path), True) for path in paths)

    def append(self, batch: Sequence[Told]) -> None:
        """Add the records in one write, and let the system have them at once."""
        self.file.write(encode([self.form.record(told) for told in batch]))
        self.file.flush()
        self.is_read |= {name_of(told.path): told.probabilities is not None for told in batch}


@contextmanager
def open_table(path: Path, form: Form, again: bool = False) -> Iterator[Table]:
    """Open the table to add to it; a torn last record is cut off.

    Args:
        again: forget what is in it.

    Raises:
        LabError: the file is no table of answers, is one of another model or form, can't be
            written, or is being written by another process.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a+b") as file:
            if not try_lock(file):
                raise LabError(
                    f"{path} is being written by another process: wait for it, or stop it."
                )
            yield _open(path, Table(file, form), again)
            os.fsync(file.fileno())
    except OSError as error:
        raise LabError(
            f"{path} can't be written ({error.strerror}): make room or name another file; the same "
            "command goes on where this one ended."
        ) from None


def _open(path: Path, table: Table, again: bool) -> Table:
    file = table.file
    file.seek(0)
    # Also where a kill tore the header; anything else is somebody's own.
    if not START.startswith(file.read(len(START))):
        raise LabError(f"{path} is no table of answers and is left as it is: name another file.")
    whole = 0 if again else _read(path, table)
    file.truncate(whole)
    if whole == 0:
        file.write(encode([table.form.columns]))
        file.flush()
    return table


def _read(path: Path, table: Table) -> int:
    """Fill the table in from its file; the length of its whole records in bytes."""
    table.file.seek(0)
    records = whole_records(table.file)
    header, length = next(records, (table.form.columns, 0))
    if header != table.form.columns:
        raise LabError(
            f"{path} was written with another --top-k: give the same, or --again to start over."
        )
    for record, end in records:
        _check(path, record, table.form)
        table.is_read[record[0]] = bool(record[1])
        length = end
    return length


def _check(path: Path, record: list[str], form: Form) -> None:
    if len(record) != len(form.columns):
        raise LabError(f"{path} was changed by hand or is damaged: give --again to start over.")
    model = record[form.columns.index("model")]
    if model != form.model:
        raise LabError(
            f"{path} holds answers of {model}, not of {form.model}: name another file, or give "
            "--again to start over."
        )


def whole_records(file: IO[bytes]) -> Iterator[tuple[list[str], int]]:
    """Records with the place in the file where each ends; one that was torn, and the rest, is left out."""
    record, end = b"", 0
    for line in file:
        record += line
        # Within quotes, a line's end belongs to a file's name.
        if record.endswith(b"\n") and record.count(b'"') % 2 == 0:
            end += len(record)
            text = record.decode(ENCODING, ERRORS)
            yield next(csv.reader(io.StringIO(text, newline="")), []), end
            record = b""


def encode(records: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(records)
    return text.getvalue().encode(ENCODING, ERRORS)


def name_of(path: Path) -> str:
    """A path as its cell says it: still a path, and never a formula to a spreadsheet."""
    name = path.as_posix()
    return f"./{name}" if name.startswith(FORMULA_MARKS) else name


def no_formula(text: str) -> str:
    """A text that begins like a formula would run as one in a spreadsheet."""
    return f"'{text}" if text.startswith(FORMULA_MARKS) else text
