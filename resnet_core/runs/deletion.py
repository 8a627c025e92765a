"""Deleting a run: renamed first, so that a kill leaves no half of one to be seen."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from resnet_core.errors import RunError
from resnet_core.locks import hold
from resnet_core.runs.folder import RunFolder, RunState


def delete_run(folder: RunFolder) -> None:
    """Delete a run's folder; renamed first, so that a kill leaves no half of a run to be seen.

    Raises:
        RunError: its process is alive, or the system refuses.
    """
    doomed = folder.path.with_name(f".deleted-{folder.name}")
    shutil.rmtree(
        doomed, ignore_errors=True
    )  # a run of the same name, whose deletion was cut short
    try:
        _put_aside(folder, doomed, within_lock=os.name != "nt")
    except OSError as error:
        raise RunError(
            f"Run {folder.name} can't be deleted ({error.strerror}): close what has its files open "
            f"and see that {folder.path.parent} can be written, then delete it again."
        ) from None
    try:
        shutil.rmtree(doomed)
    except OSError as error:
        raise RunError(
            f"Run {folder.name} is deleted, but files of it are left ({error.strerror}): close what "
            f"has them open, then delete the folder {doomed}."
        ) from None


def _put_aside(folder: RunFolder, doomed: Path, within_lock: bool) -> None:
    """Rename a run that stands still.

    Args:
        within_lock: whether the lock, a file in the folder, is held meanwhile. Windows renames no
            folder with an open file in it, so there the run is looked at again afterwards.

    Raises:
        RunError: the run's process is alive; its folder is where it was.
        OSError: the system refuses.
    """
    with hold(folder.lock_file):
        _refuse_if_running(folder)
        if within_lock:
            folder.path.rename(doomed)
    if not within_lock:
        folder.path.rename(doomed)
        if RunFolder(doomed).state() is RunState.RUNNING:  # it was claimed between lock and rename
            doomed.rename(folder.path)
            _refuse_if_running(folder)


def _refuse_if_running(folder: RunFolder) -> None:
    if folder.state() is RunState.RUNNING:
        raise RunError(f"Run {folder.name} is running: stop it before deleting it.")


def sweep_deleted(runs: Path) -> None:
    """Finish the deletions that a kill cut short."""
    for doomed in runs.glob(".deleted-*"):
        shutil.rmtree(doomed, ignore_errors=True)
