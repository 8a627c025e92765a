"""What a node of a Ray cluster does for a study: it trains one run and sends what it wrote.

Training happens in the process that Ray made for the run, not in a child of it: whatever kills
that process ends the training with it, and between two events of the loop all files of the run
are at rest.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from benchmarks.depth.parcels import Packer, Parcel, unpack_on_node
from resnet_core.errors import LabError
from resnet_core.events import Event, Finished, Started, Stopped
from resnet_core.files import read_json, replace_file, write_json, write_text
from resnet_core.locks import hold, try_hold
from resnet_core.runs.folder import RunFolder


@dataclass(frozen=True)
class SentData:
    """A data set's file, kept in the cluster's object store until a node lacks it."""

    name: str
    """Its path below a data folder."""
    sha256: str
    content: Any
    """Reference to its bytes."""


@dataclass(frozen=True)
class Assignment:
    """One run for one node, with all that it takes to begin or to go on."""

    name: str
    files: dict[str, bytes]
    data: SentData | None
    """None for a data set that is made where it is needed."""
    commit: str | None
    """Of the code that was sent along, which lies in no checkout on the node."""
    collect_seconds: float
    """Seconds between two times that weights and checkpoints are sent; events go at once."""


class Trainer:
    """An actor that lives as long as its run. `stop` is heard while `train` computes."""

    def __init__(self) -> None:
        self._folder: RunFolder | None = None
        self._is_stop_asked = False

    def stop(self) -> None:
        """Let the run write a checkpoint and end."""
        self._is_stop_asked = True
        if self._folder is not None:
            self._folder.request_stop()

    def train(self, assignment: Assignment) -> Iterator[Parcel]:
        """Train to the end, to a stop or to a failure, whose reason is in the last parcel's files.

        Raises:
            Exception: the run could not even be begun.
        """
        from resnet_core.training.run import execute

        with workplace() as place:
            folder = RunFolder(place / assignment.name)
            unpack_on_node(assignment.files, folder)
            use_data(folder, assignment.data)
            self._folder = folder
            if self._is_stop_asked:
                folder.request_stop()
            yield from _send(execute(folder), folder, assignment)


def _send(events: Iterator[Event], folder: RunFolder, assignment: Assignment) -> Iterator[Parcel]:
    packer, sent_at, step, total_steps = Packer(folder), monotonic(), 0, 0

    def parcel(files: dict[str, bytes]) -> Parcel:
        offset, lines = packer.new_events()
        return Parcel(step, total_steps, _node(), os.getpid(), offset, lines, files)

    try:
        for event in events:
            step = getattr(event, "step", step)
            total_steps = getattr(event, "total_steps", total_steps)
            if isinstance(event, Started):
                _complete_environment(folder, assignment)
            if isinstance(event, (Finished, Stopped)):
                continue  # sent with all that the end of the run writes
            is_due = monotonic() - sent_at >= assignment.collect_seconds
            if is_due:
                sent_at = monotonic()
            yield parcel(packer.changed_files() if is_due or isinstance(event, Started) else {})
    except LabError as error:
        if not folder.error_file.exists():
            write_text(folder.error_file, f"{error}\n")
    except Exception:
        if not folder.error_file.exists():  # else the reason is on its way home
            raise
    yield parcel(packer.changed_files())


def _complete_environment(folder: RunFolder, assignment: Assignment) -> None:
    """Add what the engine can't know here: the commit of the code, and Ray's version."""
    import ray

    extras = {"commit": assignment.commit, "ray": ray.__version__}
    write_json(folder.environment_file, folder.environment() | extras)


def _node() -> str:
    import ray

    return ray.util.get_node_ip_address()


def use_data(folder: RunFolder, data: SentData | None) -> None:
    """Let the run's config point to this node's copy of the data; the study's is not touched."""
    if data is None:
        return
    place = _home() / "data" / data.sha256
    if not _holds(place / data.name, data.sha256):
        import ray

        content = ray.get(data.content)
        replace_file(place / data.name, lambda temporary: _fill(temporary, content))
    write_json(folder.config_file, read_json(folder.config_file) | {"data_folder": str(place)})


def _holds(path: Path, sha256: str) -> bool:
    with suppress(OSError), open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    return False


def _fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _home() -> Path:
    home = Path(tempfile.gettempdir()) / f"resnet-lab-{getpass.getuser()}"
    home.mkdir(mode=0o700, exist_ok=True)
    return home


@contextmanager
def workplace() -> Iterator[Path]:
    """An empty folder for one run, gone afterwards; those of killed processes go too."""
    _sweep()
    place = Path(tempfile.mkdtemp(prefix="run-", dir=_home()))
    try:
        with hold(place.with_suffix(".lock")):
            yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        place.with_suffix(".lock").unlink(missing_ok=True)


def _sweep() -> None:
    for lock in _home().glob("run-*.lock"):
        with try_hold(lock) as is_left:
            if is_left:
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
