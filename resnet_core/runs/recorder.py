"""The one place where a run's events are written down, on their way to whoever watches."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator

from resnet_core.events import Event
from resnet_core.runs.folder import RunFolder


def record(events: Iterable[Event], folder: RunFolder) -> Iterator[Event]:
    """Append each event to the run's `events.jsonl`, then pass it on.

    A line torn by an earlier kill is ended first, so that it spoils no other line.
    """
    with open(folder.events_file, "ab") as file:
        if file.tell() and not _ends_with_newline(folder):
            file.write(b"\n")
        for event in events:
            file.write(json.dumps(event.to_dict(), allow_nan=False).encode() + b"\n")
            file.flush()
            yield event


def _ends_with_newline(folder: RunFolder) -> bool:
    with open(folder.events_file, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"
