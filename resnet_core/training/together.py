"""Several runs in one process, each in a thread of its own: how small nets fill one GPU.

Processes would take turns on it; streams of one process compute at the same time. Runs are set up
one after the other, by the thread that asks, so that each starts from its own seed alone.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache
from pathlib import Path
from threading import Semaphore, Thread

import torch

from resnet_core.data.dataset import Dataset, load_dataset
from resnet_core.errors import LabError
from resnet_core.events import Event, Started
from resnet_core.runs.claims import release
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.queue import refuse, waiting
from resnet_core.training.run import execute

Tell = Callable[[RunFolder, Event | Exception], None]
"""Called with what happens to a run, from its thread."""
FIRST = 3  # priority of streams, as PyTorch offers it: from -3, served first, to 0
LAYERS_A_STEP = 16


def train_together(folders: Iterator[RunFolder], at_once: int, tell: Tell) -> None:
    """Train runs as places become free, until there are no more.

    A run that fails says why in its folder, and the others go on. An interrupt stops them all,
    each with a checkpoint.

    Args:
        folders: asked for the next run whenever there is a place.
        at_once: places.
        tell: hears of every event, and of what ended a run early.
    """
    load = lru_cache(maxsize=1)(load_dataset)  # one copy of the data for all
    places = Semaphore(at_once)
    threads: dict[RunFolder, Thread] = {}
    try:
        while True:
            if not places.acquire(blocking=False):
                # Not before: a net is set up in a fraction of the time while no other trains.
                _begin(threads)
                places.acquire()
            folder = next(folders, None)
            if folder is None:
                break
            started = _start(folder, load, tell)
            if started is None:
                places.release()
            else:
                threads[folder] = Thread(target=_finish, args=(folder, *started, places, tell))
    except BaseException:  # an interrupt from the keyboard, say
        for folder in threads:
            folder.request_stop()
        raise
    finally:
        _begin(threads)
        for thread in threads.values():
            thread.join()


def _begin(threads: dict[RunFolder, Thread]) -> None:
    for thread in threads.values():
        if thread.ident is None:  # not started yet
            thread.start()


def queued(runs: Path) -> Iterator[RunFolder]:
    """The runs of a folder's queue, in its order, those too that come while others train."""
    tried: set[str] = set()  # one that can't be claimed, on a full disk, stays in the queue
    while waits := [folder for folder in waiting(runs) if folder.name not in tried]:
        tried.add(waits[0].name)
        yield waits[0]


def _start(
    folder: RunFolder, load: Callable[[str, Path], Dataset], tell: Tell
) -> tuple[Iterator[Event], torch.cuda.Stream | None] | None:
    """A run up to its first step, and the stream it works on; None where it could not begin."""
    try:
        stream = _stream(folder)
        events = execute(folder, load=load)
        with _on(stream):
            for event in events:
                tell(folder, event)
                if isinstance(event, Started):
                    break
    except Exception as error:
        tell(folder, error)
        _leave_queue(folder, error)
        _let_go(folder)
        return None
    return events, stream


def _leave_queue(folder: RunFolder, error: Exception) -> None:
    """See that a run which was not even claimed is not tried for ever, and that it says why.

    One that was claimed is no longer queued, and its reason is in its folder. A folder that can't
    be written is no fault of the run, which waits on.
    """
    if isinstance(error, OSError):
        return
    reason = str(error) if isinstance(error, LabError) else traceback.format_exc()
    with suppress(OSError):
        refuse(folder, reason)


def _let_go(folder: RunFolder) -> None:
    """Release a run; where its disk is full, the end of this process does so."""
    with suppress(OSError):
        release(folder)


def _finish(
    folder: RunFolder,
    events: Iterator[Event],
    stream: torch.cuda.Stream | None,
    places: Semaphore,
    tell: Tell,
) -> None:
    try:
        with _on(stream):
            for event in events:
                tell(folder, event)
    except Exception as error:  # its reason is in its folder
        tell(folder, error)
    finally:
        _let_go(folder)
        places.release()


def _on(stream: torch.cuda.Stream | None) -> AbstractContextManager[object]:
    return nullcontext() if stream is None else torch.cuda.stream(stream)


def _stream(folder: RunFolder) -> torch.cuda.Stream | None:
    """A stream of its own on a GPU; the deeper the net, the sooner its kernels are served.

    Its steps are the longest chains of kernels, so it is the one that all wait for at the end.
    """
    config = folder.config()
    if config["device"] == "cpu" or not torch.cuda.is_available():
        return None
    depth = int(config["model"]["depth"])
    return torch.cuda.Stream(priority=-min(FIRST, depth // LAYERS_A_STEP))  # type: ignore[no-untyped-call]
