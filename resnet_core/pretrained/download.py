"""Fetching one large file so that a kill, a cut or a wrong byte never leaves a bad one in its place.

What has come lies in `.<name>.part`; it gets its name only after its hash was checked, and a later
call goes on where an earlier one ended, if the server can.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import shutil
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from resnet_core.errors import ConfigError, ModelError
from resnet_core.events import Event
from resnet_core.locks import try_hold

BLOCK_BYTES = 2**18
TELL_SECONDS = 0.25
# What a server may send beyond what was announced: the table's sizes are rounded.
SPARE_BYTES = 2**20
PARTIAL, RANGE_OUTSIDE = 206, 416
NETWORK_ERRORS = (URLError, TimeoutError, ConnectionError, ssl.SSLError)  # not the disk's


@dataclass(frozen=True)
class Source:
    """Where a file comes from, and what it must be."""

    url: str
    size_bytes: int
    """About."""
    sha256_start: str


@dataclass(frozen=True)
class Fetching(Event):
    """Progress, a few times a second."""

    kind = "fetching"
    done_bytes: int
    total_bytes: int
    bytes_per_second: float
    eta_seconds: float | None
    """None before there is a pace to tell it by."""


def fetch_file(source: Source, path: Path, timeout_seconds: float) -> Iterator[Fetching]:
    """Put a file in its place; one that is there and right is left as it is.

    Raises:
        ConfigError: the address is none of http or https.
        ModelError: it can't be fetched, or is not what it should be; how to place it by hand.
    """
    if path.exists():
        _check_placed(source, path)
        return
    if urlsplit(source.url).scheme not in ("http", "https"):
        raise ConfigError(f"{source.url} is no address to fetch from: it should begin with https.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with try_hold(path.parent / f".{path.name}.lock") as is_ours:
            if not is_ours:
                raise ModelError(f"{path.name} is being fetched by another process: wait for it.")
            yield from _fetch(source, path, timeout_seconds)
    except OSError as error:  # of this disk: those of the network are sentences by then
        raise ModelError(_disk_problem(error, source, path)) from None


def by_hand(source: Source, path: Path) -> str:
    """How a person does without this program's network."""
    return f"To place it by hand, save {source.url} as {path} (the same name) and run the command again."


def _check_placed(source: Source, path: Path) -> None:
    found = _sha256(path)
    if not found.startswith(source.sha256_start):
        raise ModelError(
            f"{path} is not the file it should be: its SHA-256 begins with "
            f"{found[: len(source.sha256_start)]} and not {source.sha256_start}. Delete it, and "
            "fetch or place it again."
        )


def _fetch(source: Source, path: Path, timeout_seconds: float) -> Iterator[Fetching]:
    part = path.with_name(f".{path.name}.part")
    if not (part.exists() and _sha256(part).startswith(source.sha256_start)):
        yield from _receive(source, path, part, timeout_seconds)
        found = _sha256(part)
        if not found.startswith(source.sha256_start):
            part.unlink()
            raise ModelError(
                f"What came from {source.url} is not the file it should be (SHA-256 "
                f"{found[: len(source.sha256_start)]}…, not {source.sha256_start}…): it was "
                f"deleted. Try again later. {by_hand(source, path)}"
            )
    part.replace(path)


def _receive(source: Source, path: Path, part: Path, timeout_seconds: float) -> Iterator[Fetching]:
    have = part.stat().st_size if part.exists() else 0
    if shutil.disk_usage(path.parent).free < source.size_bytes - have:
        raise OSError(errno.ENOSPC, "No space left on device")
    try:
        with _open(source.url, have, timeout_seconds) as answer:
            if answer.status != PARTIAL or not _begins_at(answer, have):
                have = 0
            length = answer.headers.get("Content-Length")
            total = have + int(length) if length else source.size_bytes
            with open(part, "ab" if have else "wb") as file:
                yield from _copy(answer, file, have, total, source)
                file.flush()
                os.fsync(file.fileno())
            if length and (came := part.stat().st_size) != total:
                raise ModelError(
                    f"{_host(source)} broke off after {came / 1e6:,.1f} of {total / 1e6:,.1f} MB: "
                    f"run the command again, it goes on from there. {by_hand(source, path)}"
                )
    except HTTPError as error:
        if error.code == RANGE_OUTSIDE and have:  # what lies here is longer than the file
            part.unlink()
            yield from _receive(source, path, part, timeout_seconds)
            return
        raise ModelError(
            f"{_host(source)} answered {error.code} {error.reason} for {source.url}: the file has "
            f"moved, or is blocked here. {by_hand(source, path)}"
        ) from None
    except (*NETWORK_ERRORS, http.client.HTTPException) as error:
        raise ModelError(_network_problem(error, source, path, timeout_seconds)) from None


def _open(url: str, have: int, timeout_seconds: float) -> Any:
    headers = {"User-Agent": "ResNet-Lab", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    return urlopen(Request(url, headers=headers), timeout=timeout_seconds)


def _begins_at(answer: Any, have: int) -> bool:
    return str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _copy(
    answer: Any, file: IO[bytes], have: int, total: int, source: Source
) -> Iterator[Fetching]:
    began, told, done = monotonic(), 0.0, have
    while block := answer.read(BLOCK_BYTES):
        done += len(block)
        if done > max(total, source.size_bytes) + SPARE_BYTES:
            raise ModelError(
                f"{_host(source)} sends more than the {source.size_bytes / 1e6:,.1f} MB that the "
                "file has: it was broken off."
            )
        file.write(block)
        if monotonic() - told > TELL_SECONDS or done == total:
            told = monotonic()
            pace = (done - have) / max(told - began, 1e-9)
            yield Fetching(done, total, pace, max(0, total - done) / pace if pace else None)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _host(source: Source) -> str:
    return urlsplit(source.url).netloc


def _network_problem(error: Exception, source: Source, path: Path, timeout_seconds: float) -> str:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, TimeoutError):
        said = f"did not answer within {timeout_seconds:g} s"
    else:
        said = f"can't be reached ({getattr(reason, 'strerror', None) or reason})"
    return (
        f"{_host(source)} {said}: check the network, and run the command again. "
        f"{by_hand(source, path)}"
    )


def _disk_problem(error: OSError, source: Source, path: Path) -> str:
    if error.errno == errno.ENOSPC:
        return (
            f"There is no room for {source.size_bytes / 1e6:,.0f} MB in {path.parent}: free some, or "
            "choose another folder with --weights-folder."
        )
    return f"{path} can't be written or read ({error.strerror}): choose another --weights-folder."
