"""Commands as a person gives them, in processes of their own that need not import torch each time.

A process that has imported the large libraries, and nothing of this project, makes a copy of
itself for each command (the standard library's fork server): what the command does is as alone
there as in a fresh interpreter, but it starts seconds sooner. Where there is no fork, and for what
must be seen from the very start, a fresh interpreter does it.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from multiprocessing.reduction import DupFd
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = [
    "pytest",
    "torch",
    "torch._dynamo",
    "torchvision",
    "onnx",
    "onnxruntime",
    "safetensors.torch",
]
PATIENCE_SECONDS = 500
CAN_FORK = sys.platform == "linux"


def run_module(module: str, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE WORDS…` in the project's folder; its exit status and what it printed."""
    texts = [str(word) for word in words]
    if not CAN_FORK:
        return run_afresh(module, *texts, **environment)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status = _fork(module, texts, os.environ | environment, out.fileno(), err.fileno())
        printed = [_read(file) for file in (out, err)]
    if status is None:
        hung = f"{module} {' '.join(texts)} did not end in {PATIENCE_SECONDS} seconds"
        raise AssertionError(f"{hung}; where it stood:\n{printed[1]}")
    return subprocess.CompletedProcess([module, *texts], status, *printed)


def run_afresh(module: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The same in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )


def _fork(
    module: str, words: list[str], environment: dict[str, str], out: int, err: int
) -> int | None:
    """The exit status; None for a process that had to be killed."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LIBRARIES)
    outputs = [DupFd(fd) for fd in (out, err)]
    process = context.Process(target=_be, args=(module, words, environment, *outputs))
    process.start()
    process.join(PATIENCE_SECONDS)
    if process.exitcode is None:
        process.kill()
        return None
    return process.exitcode


def _be(module, words, environment, out, err) -> None:
    """In the copy: become the command."""
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    for fd, received in ((1, out), (2, err)):
        os.dup2(received.detach(), fd)
    faulthandler.dump_traceback_later(
        PATIENCE_SECONDS - 10
    )  # what hangs says where, before its end
    sys.argv = [module, *words]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _read(file) -> str:
    file.seek(0)
    return file.read().decode()
