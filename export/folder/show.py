"""How a command line shows a folder's progress: a bar in a terminal, plain lines in a pipe, or JSON."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator

from export.folder.run import Advanced, Ended, Opened
from resnet_core.display import clock
from resnet_core.events import Event

LINES = 20
"""In a pipe, over all files."""


def show_folder(events: Iterable[Event], as_json: bool = False) -> Ended:
    """Print events as they come, in the way that whoever reads them can use; how it ended."""
    show = _as_json if as_json else _in_terminal if sys.stdout.isatty() else _in_lines
    ended = deque(show(events), maxlen=1).pop()
    assert isinstance(ended, Ended)
    return ended


def _as_json(events: Iterable[Event]) -> Iterator[Event]:
    for event in events:
        print(json.dumps(event.to_dict()), flush=True)
        yield event


def _in_lines(events: Iterable[Event]) -> Iterator[Event]:
    told = 0
    for event in events:
        part = LINES * event.done // event.files if isinstance(event, Advanced) else None
        if part != told:
            print(describe(event), flush=True)
        told = told if part is None else part
        yield event


def _in_terminal(events: Iterable[Event]) -> Iterator[Event]:
    try:
        from rich.progress import BarColumn, Progress, TextColumn
    except ImportError:  # it comes with the app; a server that only classifies may lack it
        yield from _in_lines(events)
        return
    columns = (BarColumn(), TextColumn("{task.percentage:.1f} %"), TextColumn("{task.description}"))
    with Progress(*columns) as progress:
        task = progress.add_task("starting", total=None)
        for event in events:
            if isinstance(event, Advanced):
                said = describe(event)
                progress.update(task, total=event.files, completed=event.done, description=said)
            else:
                progress.console.print(describe(event), highlight=False, markup=False)
            yield event


def describe(event: Event) -> str:
    """One plain line, with units."""
    match event:
        case Opened():
            known = f", {event.done:,} of them are in {event.table} already" if event.done else ""
            return f"{event.files:,} files{known}; {event.model} on {event.engine}"
        case Advanced():
            return (
                f"{event.done:,} of {event.files:,} files{_unreadable(event.unreadable)}, "
                f"{event.files_per_second:,.0f} files/s, {clock(event.eta_seconds)} left"
            )
        case Ended():
            spent = f"{event.classified_now:,} now, in {clock(event.seconds)}"
            bad = _unreadable(event.unreadable)
            return f"{event.table}: {event.files:,} files{bad}; {spent}"
    return event.kind


def _unreadable(count: int) -> str:
    return f", {count:,} can't be read" if count else ""
