"""Commands in forked processes, which start in a blink because torch is loaded already.

The forking process runs no torch operation itself: its thread pools would not survive a fork.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

LONGEST_SECONDS = 600


def load_everything() -> None:
    """Import what commands import, once."""
    import onnx  # noqa: F401
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401
    import torch.onnx  # noqa: F401
    import torchvision  # noqa: F401

    import resnet_core.__main__
    import resnet_core.doctor.keep
    import resnet_core.training.run  # noqa: F401


def call(work: Callable[[], object], log: Path, kill_after: float | None = None) -> int:
    """Run `work` in a process of its own; its exit status, negative for the signal that ended it."""
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _be_the_child(work, log)
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if kill_after is not None and seconds >= kill_after:
            os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if seconds > LONGEST_SECONDS:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise AssertionError(f"hung for {LONGEST_SECONDS} s:\n{log.read_text()[-2000:]}")
        time.sleep(0.002)


def _be_the_child(work: Callable[[], object], log: Path) -> None:
    status = 70
    try:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        status = int(work() or 0)  # type: ignore[call-overload]
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def must(work: Callable[[], object], log: Path) -> None:
    """Run `work` in a process of its own, which must end well."""
    status = call(work, log)
    assert status == 0, f"ended with {status}:\n{log.read_text(errors='replace')[-3000:]}"


def processes_of(folder: Path) -> list[int]:
    """All processes whose command line names a folder: a study's worker and its runs."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in words:
                found.append(int(entry.name))
    return found
