"""The process that starts queued runs, one after the other, and outlives whoever asked for them.

It holds a lock while it lives, so there is one for each folder of runs; it ends when nothing is
left to do, and the next to look at the queue starts another. Runs are processes of their own
sessions: they go on when the app or this worker is killed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import sleep
from typing import Any

from resnet_core.errors import ConfigError, RunError
from resnet_core.files import write_text
from resnet_core.locks import try_hold
from resnet_core.runs.claims import RESERVE_BYTES, claim
from resnet_core.runs.deletion import sweep_deleted
from resnet_core.runs.folder import RunFolder, RunState, list_runs
from resnet_core.runs.queue import refuse, runs_at_once, waiting
from resnet_core.training.machine import nvidia_driver

LOOK_EVERY_SECONDS = 0.3
HELD_UP_SECONDS = 10.0
"""Before what could not be begun is tried again: pages look at the queue every second."""
NICENESS = "5"  # so that a picture is still classified at once while a net trains
LAST_WORDS_BYTES = 2000
ROOT = Path(__file__).resolve().parents[2]


def ensure_worker(runs: Path) -> None:
    """Start a worker for this folder if runs wait and none is alive; returns at once."""
    if not waiting(runs):
        return
    with try_hold(_lock_file(runs)) as is_free:
        if not is_free:
            return
    start_detached([sys.executable, "-m", "resnet_core", "runs", "work", "--runs", str(runs.resolve())],
                   runs / ".worker.log")  # fmt: skip


def work(runs: Path) -> None:
    """Start queued runs as places become free, until none waits or runs, or none can be begun.

    What can't be begun, on a full disk, stays in the queue: after a while, in which nobody else
    tries, the next to look at it does.
    """
    sweep_deleted(runs)
    given_up: list[RunFolder] = []
    while waiting(runs) != given_up:
        with try_hold(_lock_file(runs)) as is_ours:
            if not is_ours:
                return
            given_up = []
            if not _drain(runs):
                given_up = waiting(runs)
                sleep(HELD_UP_SECONDS)
        # Asked again after the lock is let go: who queued a run in between saw us alive.


def _drain(runs: Path) -> bool:
    """Run what is queued; whether that is done, and not held up."""
    if runs_at_once(runs) > 1 and nvidia_driver() is not None:
        # Processes would take turns on a GPU; the streams of one process share it.
        return _drain_together(runs)
    children: dict[str, tuple[RunFolder, subprocess.Popen[bytes]]] = {}
    is_held_up = False
    while True:
        for name, (folder, process) in list(children.items()):
            if process.poll() is not None:
                del children[name]
                is_held_up = False  # what ended may have made room
                _note_failure(folder, process.returncode)
        queue = waiting(runs)
        if not children and (is_held_up or not queue):
            return not is_held_up
        if queue and not is_held_up and _running(runs) < runs_at_once(runs):
            try:
                children[queue[0].name] = (queue[0], _start_run(queue[0]))
            except OSError as error:
                is_held_up = True
                _log(f"{queue[0].name} can't be begun and waits: {error}")
            continue
        sleep(LOOK_EVERY_SECONDS)


def _drain_together(runs: Path) -> bool:
    """Run what is queued in one process; False where that took no run out of the queue.

    A second process would fare no better, nor would one after it.
    """
    before = {run.name for run in waiting(runs)}
    if not before:
        return True
    status = _start_together(runs).wait()
    if is_held_up := before <= {run.name for run in waiting(runs)}:
        _log(f"No queued run could be begun (status {status}): they wait.")
    return not is_held_up


def _log(line: str) -> None:
    """A line in the worker's log, if the disk has room for it."""
    with suppress(OSError):
        print(line, flush=True)


def _running(runs: Path) -> int:
    return sum(run.state() is RunState.RUNNING for run in list_runs(runs))


def _start_together(runs: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "resnet_core", "runs", "together", "--runs", str(runs.resolve())]
    return start_detached(words, runs / ".worker.log")


def _start_run(folder: RunFolder) -> subprocess.Popen[bytes]:
    """The process of a queued run, which from here on is running, or refused where it can't be.

    Raises:
        OSError: its folder can't be written, on a full disk say; it is still queued.
    """
    path = str(folder.path.resolve())
    words = [sys.executable, "-m", "resnet_core", "resume", path, "--from-queue"]
    # The first thing a claim needs, tried before a process is started for nothing.
    folder.reserve_file.write_bytes(bytes(RESERVE_BYTES))
    process = start_detached(words, folder.log_file)
    try:
        # In the child's name, which is still importing: nobody sees a started run as waiting.
        claim(folder, folder.environment() if folder.environment_file.exists() else {}, process.pid)
    except OSError:
        _end(process)
        raise
    except RunError as error:
        _end(process)
        refuse(folder, str(error))
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def start_detached(words: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process of its own session, which outlives this one; what it prints goes to `log`."""
    with open(log, "ab") as output:
        return subprocess.Popen(
            words,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            **_own_session(),
        )


def _own_session() -> dict[str, Any]:
    if os.name == "nt":
        detached = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.DETACHED_PROCESS  # type: ignore[attr-defined]
        return {"creationflags": detached | subprocess.BELOW_NORMAL_PRIORITY_CLASS}  # type: ignore[attr-defined]
    return {"start_new_session": True}


def step_back(process_id: int = 0) -> None:
    """Let a process (0: this one) run below the app and a person's own programs.

    How far, `$RESNET_LAB_NICENESS` says: from 0, not at all, to 19. On Windows that is set when it
    starts.

    Raises:
        ConfigError: the variable is no such number.
    """
    said = os.environ.get("RESNET_LAB_NICENESS", NICENESS)
    if not re.fullmatch(r"1?[0-9]", said):
        raise ConfigError(f"$RESNET_LAB_NICENESS is a number from 0 to 19, not '{said}'.")
    if os.name == "nt":
        return
    os.setpriority(os.PRIO_PROCESS, process_id, int(said))
    # Linux may weigh whole sessions against each other first, and a detached process is its own.
    with suppress(OSError):
        Path(f"/proc/{process_id or 'self'}/autogroup").write_text(said)


def _note_failure(folder: RunFolder, status: int) -> None:
    """A run that ended badly without a word gets its last printed lines as the reason.

    One ended by a signal (a negative status) is interrupted, and can be resumed.
    """
    if status <= 0 or folder.error_file.exists() or not folder.path.is_dir():
        return
    last = folder.log_file.read_bytes()[-LAST_WORDS_BYTES:].decode(errors="replace")
    folder.reserve_file.unlink(missing_ok=True)  # the space this file is written into
    with suppress(OSError):  # its log has the reason; the other runs are still to be started
        write_text(folder.error_file, f"The process ended with status {status}:\n{last}")


def _lock_file(runs: Path) -> Path:
    return runs / ".worker.lock"
