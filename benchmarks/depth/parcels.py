"""A run's files on their way between machines: what a node needs to go on, and what it made since.

The files of a run are read only between two events of its training, when they agree with each
other, and are written in an order in which a kill at any moment leaves a run that can go on.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from resnet_core.files import replace_file
from resnet_core.runs.exports import remove_exports
from resnet_core.runs.folder import RunFolder

Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Parcel:
    """What a training run wrote since its parcel before."""

    step: int
    total_steps: int
    node: str
    """Address of the machine that computes."""
    process_id: int
    """Of the process that computes, on that machine."""
    events_offset: int
    """Bytes of `events.jsonl` that came before `events`."""
    events: bytes
    files: dict[str, bytes] = field(default_factory=dict)
    """Whole files by their path within the run folder."""

    def has(self, path: Path) -> bool:
        """Whether the file of that name is in it."""
        return path.name in self.files


def pack_for_node(folder: RunFolder) -> dict[str, bytes]:
    """All that a node needs to begin a run or to go on with it."""
    wanted = [
        folder.config_file,
        folder.events_file,
        *_weights(folder),
        # Their number says how often the test split was read.
        *folder.path.glob("summary-*-epochs.json"),
    ]
    return {path.name: path.read_bytes() for path in wanted if path.is_file()}


def unpack_on_node(files: dict[str, bytes], folder: RunFolder) -> None:
    """Write a run's files into an empty folder; nobody reads them yet."""
    folder.path.mkdir(parents=True)
    for name, content in files.items():
        (folder.path / name).write_bytes(content)


class Packer:
    """Knows what of a run was sent already; used between two events, while no file changes."""

    def __init__(self, folder: RunFolder):
        self._folder = folder
        self._events_sent = _size(folder.events_file)
        self._sent: dict[Path, Stamp] = {path: _stamp(path) for path in self._all_files()}

    def new_events(self) -> tuple[int, bytes]:
        """How many bytes of events were sent before, and those that came since."""
        offset = self._events_sent
        if not self._folder.events_file.exists():
            return offset, b""
        with open(self._folder.events_file, "rb") as file:
            file.seek(offset)
            content = file.read()
        self._events_sent += len(content)
        return offset, content

    def changed_files(self) -> dict[str, bytes]:
        """Every file but the events that is new or was replaced since it was last sent."""
        changed = {}
        for path in self._all_files():
            if (stamp := _stamp(path)) != self._sent.get(path):
                self._sent[path] = stamp
                changed[path.relative_to(self._folder.path).as_posix()] = path.read_bytes()
        return changed

    def _all_files(self) -> list[Path]:
        folder = self._folder
        files = [folder.environment_file, *_weights(folder), *folder.tensorboard_folder.glob("*")]
        files += [folder.error_file, folder.summary_file]
        return [path for path in files if path.is_file()]


def unpack_at_home(parcel: Parcel, folder: RunFolder) -> None:
    """Bring the study's run folder to where the parcel was packed, all but its environment.

    Events come first and the summary last, as training itself writes them: of a checkpoint, the
    weights it refers to are there before it is. What was exported of the weights before goes first.

    Raises:
        RunError: what was exported can't be deleted.
        OSError: the disk is full.
    """
    _append_events(parcel, folder.events_file)
    if any(parcel.has(path) for path in _weights(folder)):
        remove_exports(folder)
    last = [folder.state_file.name, folder.error_file.name, folder.summary_file.name]
    for name in sorted(parcel.files, key=lambda name: last.index(name) if name in last else -1):
        if name != folder.environment_file.name:  # who works on a run is for its claim to say
            _write_bytes(folder.path / name, parcel.files[name])


def _append_events(parcel: Parcel, path: Path) -> None:
    if not parcel.events:
        return
    path.touch()
    with open(path, "r+b") as file:
        file.seek(parcel.events_offset)
        file.write(parcel.events)
        file.truncate()


def _write_bytes(path: Path, content: bytes) -> None:
    replace_file(path, lambda temporary: _fill(temporary, content))


def _fill(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _weights(folder: RunFolder) -> list[Path]:
    return [folder.best_model_file, folder.last_model_file, folder.state_file]


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _stamp(path: Path) -> Stamp:
    # Files are replaced, never rewritten, so a new one has a new number; TensorBoard's grow.
    facts: os.stat_result = path.stat()
    return facts.st_ino, facts.st_mtime_ns, facts.st_size
