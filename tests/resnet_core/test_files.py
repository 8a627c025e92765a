"""What kills leave beside files is cleared away, and nothing else."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from resnet_core.files import LONGEST_WRITE_SECONDS, replace_file, write_text


def test_leftovers_of_killed_writes_go_with_the_next_write(tmp_path: Path) -> None:
    file = tmp_path / "last[1].state"
    old, fresh, other = (
        tmp_path / name
        for name in (
            ".last[1].state.4194381.tmp",
            ".last[1].state.4194382.tmp",
            ".best.state.4194381.tmp",
        )
    )
    for leftover in (old, fresh, other):
        leftover.write_text("half")
    long_ago = old.stat().st_mtime - LONGEST_WRITE_SECONDS - 1
    for leftover in (old, other):
        os.utime(leftover, (long_ago, long_ago))
    write_text(file, "whole")
    assert file.read_text() == "whole"
    assert not old.exists() and fresh.exists() and other.exists()


def test_a_file_is_flushed_through_a_handle_that_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses to flush others (EBADF), as its FlushFileBuffers asks for write access."""
    fcntl = pytest.importorskip("fcntl", reason="Windows itself would refuse")
    modes: list[int] = []

    def flush(descriptor: int) -> None:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            modes.append(fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE)

    monkeypatch.setattr(os, "fsync", flush)
    write_text(tmp_path / "file", "text")
    assert modes == [os.O_RDWR] and (tmp_path / "file").read_text() == "text"


def test_an_error_of_the_system_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"before")

    def fill_the_disk(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")  # as write() does: of no file

    with pytest.raises(OSError) as caught:
        replace_file(path, fill_the_disk)
    assert caught.value.filename == str(path) and path.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
