"""Zip archives from anywhere: checked as a whole, then read member by member, never unpacked.

What a zip says about itself may be a lie, so each limit is checked on what is declared before
reading and holds again while reading.
"""

from __future__ import annotations

import io
import re
import stat
import threading
import zipfile
import zlib
from pathlib import Path
from typing import IO

from resnet_core.data.own_layout import SourceFile, is_litter, legible
from resnet_core.errors import DataError, PictureError, briefly
from resnet_core.pictures import MAX_FILE_BYTES

MAX_FILES = 200_000
MAX_UNPACKED_BYTES = 16 * 2**30
# Pictures are packed already and shrink by little; a bomb shrinks a thousandfold. Small archives
# may hold drawings that shrink well, and can do no harm.
MAX_RATIO = 100
RATIO_COUNTS_FROM_BYTES = 32 * 2**20
# A member's entry takes 46 bytes and its name: room for MAX_FILES of them, and for one picture.
MAX_READ_BYTES = 64 * 2**20
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
READ_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


class _BoundedReads(io.BufferedReader):
    """Refuses reads that only a directory of millions of members can ask for."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_READ_BYTES:
            raise DataError(_too_many_files())
        return super().read(size)


class Archive:
    """An open zip. Call `check` before reading pictures from it.

    Raises:
        DataError: not a zip, or one with more members than can be meant.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._raw = _BoundedReads(io.FileIO(path))
            self._zip = zipfile.ZipFile(self._raw)
        except (*READ_ERRORS, zipfile.LargeZipFile) as error:
            raise DataError(
                f"{path.name} is not a zip archive that can be read ({briefly(error)}): make it anew."
            ) from None
        self._unpacked_bytes = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()
        self._raw.close()

    def check(self) -> None:
        """Look at every member's entry before any is read.

        Raises:
            DataError: encrypted, leading outside the archive, links, absurd in number or size.
        """
        members = self._zip.infolist()
        if len(members) > MAX_FILES:
            raise DataError(_too_many_files())
        for member in members:
            if problem := _problem_of(member):
                raise DataError(f"{self.path.name} {problem} ({legible(member.filename)!a}).")
        declared = sum(member.file_size for member in members)
        packed = self.path.stat().st_size
        if declared > MAX_UNPACKED_BYTES:
            raise DataError(_too_large(self.path, declared))
        if declared > RATIO_COUNTS_FROM_BYTES and declared > MAX_RATIO * packed:
            raise DataError(
                f"{self.path.name} would grow {declared / packed:,.0f}-fold when unpacked, which "
                f"pictures never do: nothing was read of it."
            )

    def files(self) -> list[SourceFile]:
        """Its files, litter left out."""
        found = []
        for member in self._zip.infolist():
            parts = _parts_of(member.filename)
            is_folder = member.filename.endswith(("/", "\\"))
            if parts and not is_folder and not is_litter(parts):
                found.append(SourceFile(parts, lambda member=member: self.read(member)))  # type: ignore[misc]
        return found

    def read(self, member: zipfile.ZipInfo) -> bytes:
        """One picture's bytes.

        Raises:
            PictureError: this member is damaged, or too large for a picture.
            DataError: all that was read adds up to more than an archive may hold.
        """
        if member.file_size > MAX_FILE_BYTES:
            raise PictureError(
                f"This file has {member.file_size / 2**20:.0f} MB, more than the "
                f"{MAX_FILE_BYTES // 2**20} MB allowed: scale the picture down first."
            )
        try:
            with self._zip.open(member) as file:
                data = file.read(member.file_size + 1)  # not a byte more than was declared
        except READ_ERRORS as error:
            raise PictureError(
                f"It is damaged within the archive ({briefly(error)}): pack it again."
            ) from None
        with self._lock:
            self._unpacked_bytes += len(data)
            if self._unpacked_bytes > MAX_UNPACKED_BYTES:
                raise DataError(_too_large(self.path, self._unpacked_bytes))
        return data

    def open(self, name: str) -> IO[bytes] | None:
        """A member as a stream, None where there is none of that name."""
        member = self._zip.NameToInfo.get(name)
        if member is None:
            return None
        if problem := _problem_of(member):
            raise DataError(f"{self.path.name} {problem} ({name}).")
        return self._zip.open(member)


def _problem_of(member: zipfile.ZipInfo) -> str | None:
    """What makes a whole archive untrustworthy, as the predicate of a sentence."""
    path = member.filename.replace("\\", "/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path) or ".." in path.split("/"):
        return "has a member that leads outside the archive: pack the folder again without it"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "holds a link or a device: pack the files themselves"
    if member.flag_bits & 0x1:
        return "is encrypted: pack it again without a password"
    if member.compress_type not in METHODS:
        return "is packed by a method other than the usual 'deflate': pack it again as a plain zip"
    return None


def _parts_of(name: str) -> tuple[str, ...]:
    # Some programs for Windows write backslashes.
    return tuple(part for part in name.replace("\\", "/").split("/") if part not in ("", "."))


def _too_many_files() -> str:
    return f"The archive has more than {MAX_FILES:,} files: use fewer pictures."


def _too_large(path: Path, size: int) -> str:
    return (
        f"{path.name} would take {size / 2**30:,.0f} GB unpacked, more than the "
        f"{MAX_UNPACKED_BYTES // 2**30} GB allowed: scale the pictures down first."
    )
