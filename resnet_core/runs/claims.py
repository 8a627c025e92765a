"""Which process works on a run: written into its folder by who begins, under the run's lock."""

from __future__ import annotations

import os
from typing import Any

from resnet_core.errors import RunError
from resnet_core.files import write_json
from resnet_core.locks import hold
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.processes import process_started_at

RESERVE_BYTES = 8192


def refuse_if_finished(folder: RunFolder) -> None:
    """Raises RunError where there is nothing left to train."""
    if folder.state() is RunState.FINISHED:
        raise RunError(f"Run {folder.name} is finished: extend it to train longer.")


def claim(folder: RunFolder, environment: dict[str, Any], process_id: int | None = None) -> None:
    """Write down that a process, this one if none is named, now works on the run.

    A stop that was asked for before stays asked for; who starts a run takes it back.

    Raises:
        RunError: another live process does, or the run is finished.
    """
    process_id = process_id or os.getpid()
    with hold(folder.lock_file):
        if folder.process_id() not in (None, process_id):
            raise RunError(f"Run {folder.name} is already running: stop it first.")
        refuse_if_finished(folder)  # by a withdrawal, perhaps, since its process was started
        started_at = process_started_at(process_id)
        identity = {"process_id": process_id, "process_started_at": started_at}
        folder.reserve_file.write_bytes(bytes(RESERVE_BYTES))
        write_json(folder.environment_file, environment | identity)
        folder.queued_file.unlink(missing_ok=True)
        folder.error_file.unlink(missing_ok=True)


def release(folder: RunFolder) -> None:
    """Write down that this process, which lives on, works on the run no longer."""
    with hold(folder.lock_file):
        if folder.process_id() == os.getpid():
            # No process ever began at "": the number alone says who it was.
            write_json(folder.environment_file, folder.environment() | {"process_started_at": ""})
