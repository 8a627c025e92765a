"""Fetching a file: nothing but the right bytes ever gets its name, whatever the server does."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from resnet_core.errors import ConfigError, LabError
from resnet_core.locks import hold
from resnet_core.pretrained import download
from resnet_core.pretrained.download import Fetching, Source, fetch_file
from tests.weights_server import WeightsServer, serving, sha256_start

CONTENT = os.urandom(3_000_000)
NAME = "net-0123.pth"


@pytest.fixture
def server() -> Iterator[WeightsServer]:
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "weights" / NAME


def source(server: WeightsServer, **changes: object) -> Source:
    asked = Source(f"{server.url}/{NAME}", len(CONTENT), sha256_start(CONTENT))
    return replace(asked, **changes)


def part_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def refused(server: WeightsServer, path: Path, timeout: float = 10, **changes: object) -> str:
    """The sentence in which it fails; the file is not there."""
    with pytest.raises(LabError) as error:
        list(fetch_file(source(server, **changes), path, timeout))
    assert not path.exists() and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("how", ["good", "no ranges", "nameless"])
def test_a_file_is_fetched_and_told_of(how: str, server: WeightsServer, path: Path) -> None:
    server.how = how
    events = list(fetch_file(source(server), path, 10))
    assert path.read_bytes() == CONTENT and not part_of(path).exists()
    last = events[-1]
    assert isinstance(last, Fetching) and last.done_bytes == last.total_bytes == len(CONTENT)
    assert last.eta_seconds == 0 and last.bytes_per_second > 0
    server.how = "missing"
    assert list(fetch_file(source(server), path, 10)) == []  # it is there: nobody is asked
    assert len(server.asked) == 1


@pytest.mark.parametrize("how", ["good", "no ranges"])
def test_what_was_cut_off_goes_on(how: str, server: WeightsServer, path: Path) -> None:
    server.how = "cut"
    said = refused(server, path)
    assert "broke off after 1.5 of 3.0 MB" in said and "by hand" in said
    have = part_of(path).stat().st_size
    assert have == len(CONTENT) // 2
    server.how = how
    list(fetch_file(source(server), path, 10))
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, f"bytes={have}-"]


def test_what_a_kill_left_is_never_believed(server: WeightsServer, path: Path) -> None:
    path.parent.mkdir()
    part_of(path).write_bytes(b"x" * 1000)  # of another file
    assert "is not the file it should be" in refused(server, path)
    assert not part_of(path).exists()
    part_of(path).write_bytes(CONTENT + b"more")  # longer than the file: the server says 416
    list(fetch_file(source(server), path, 10))
    assert path.read_bytes() == CONTENT
    path.rename(part_of(path))  # complete, and killed before it got its name
    server.how = "missing"
    list(fetch_file(source(server), path, 10))
    assert path.read_bytes() == CONTENT


def test_wrong_bytes_are_deleted(server: WeightsServer, path: Path) -> None:
    server.how = "wrong"
    said = refused(server, path)
    assert sha256_start(CONTENT) in said and "deleted" in said
    assert not part_of(path).exists()


def test_a_server_that_refuses_hangs_or_is_not_there(server: WeightsServer, path: Path) -> None:
    server.how = "missing"
    said = refused(server, path)
    assert "404" in said and f"save {server.url}/{NAME} as {path}" in said
    server.how = "hanging"
    assert "did not answer within 0.3 s" in refused(server, path, 0.3)
    assert "can't be reached" in refused(server, path, url=f"http://127.0.0.1:1/{NAME}")
    assert "can't be reached" in refused(server, path, url=f"http://nowhere.invalid/{NAME}")
    with pytest.raises(ConfigError, match="no address"):
        list(fetch_file(source(server, url=f"file://{__file__}"), path, 1))


def test_no_more_is_taken_than_the_file_has(server: WeightsServer, path: Path) -> None:
    server.how = "nameless"
    assert "sends more than the 0.0 MB" in refused(server, path, size_bytes=1000)


def test_a_file_placed_by_hand_is_used_after_its_hash_was_checked(
    server: WeightsServer, path: Path
) -> None:
    path.parent.mkdir()
    path.write_bytes(CONTENT)
    list(fetch_file(source(server), path, 10))
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(LabError, match="is not the file it should be"):
        list(fetch_file(source(server), path, 10))
    assert path.read_bytes() == CONTENT[:-1] and not server.asked  # a person's file is a person's


def test_a_full_disk_is_one_sentence(
    server: WeightsServer, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no room for 1,000,000" in refused(server, path, size_bytes=10**18)
    assert not server.asked

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(download.os, "fsync", full)
    assert "no room for 3 MB" in refused(server, path)
    monkeypatch.undo()
    list(fetch_file(source(server), path, 10))
    assert path.read_bytes() == CONTENT


def test_a_folder_that_can_not_be_written(server: WeightsServer, tmp_path: Path) -> None:
    (tmp_path / "weights").write_text("a file")
    with pytest.raises(LabError, match="can't be written"):
        list(fetch_file(source(server), tmp_path / "weights" / NAME, 10))


def test_two_do_not_write_one_file(server: WeightsServer, path: Path) -> None:
    with hold(path.parent / f".{path.name}.lock"):
        assert "another process" in refused(server, path)
