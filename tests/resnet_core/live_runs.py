"""Real runs in real processes, for the tests that kill, stop and queue them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file

from resnet_core.runs.folder import RunFolder, RunState
from tests.processes import ROOT, run_module
from tests.small_data import NAME, small_data_folder

SMALL_DATA = small_data_folder()
# 140 steps of which 56 make an epoch: a kill falls into any, and checkpoints come at any step.
WORDS = [
    "train", "--model", "resnet8_v1", "--data", NAME, "--data-folder", str(SMALL_DATA),
    "--recipe", "taste", "--batch-size", "16", "--epochs", "2.5", "--checkpoint-seconds", "0.3",
]  # fmt: skip
EPOCHS = 3
TIMED = {"at", "images_per_second", "train_seconds", "eta_seconds"}


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "resnet_core", *map(str, words)]


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return run_module("resnet_core", *words)


def start(*words: object) -> subprocess.Popen:
    return subprocess.Popen(command(*words), cwd=ROOT, stdout=subprocess.DEVNULL)


def wait_for(condition, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert process.poll() is None, "the run ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def epochs_of(folder: RunFolder) -> list[dict]:
    return [
        {k: v for k, v in event.items() if k not in TIMED}
        for event in folder.events()
        if event["event"] == "epoch"
    ]


def assert_same_weights(a: RunFolder, b: RunFolder) -> None:
    first, second = load_file(a.last_model_file), load_file(b.last_model_file)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def assert_same_result(a: RunFolder, b: RunFolder) -> None:
    assert_same_weights(a, b)
    assert epochs_of(a) == epochs_of(b) and len(epochs_of(a)) == EPOCHS
    assert a.summary()["test_error_percent"] == b.summary()["test_error_percent"]


def wait_until(condition: Callable[[], object], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def queue_run(runs: Path, *words: object) -> RunFolder:
    done = run(*WORDS, "--queue", "--json", "--runs", runs, *words)
    assert done.returncode == 0, done.stderr
    return RunFolder(runs / json.loads(done.stdout)["run"])


def has_steps(folder: RunFolder) -> bool:
    return any(e["event"] == "step" for e in folder.events())


def has_epochs(folder: RunFolder) -> bool:
    return any(e["event"] == "epoch" for e in folder.events())


@contextmanager
def frozen(process_id: int | None) -> Iterator[None]:
    """The process holds still meanwhile: what is asked of it cannot come too late."""
    assert process_id is not None
    os.kill(process_id, signal.SIGSTOP)
    yield
    os.kill(process_id, signal.SIGCONT)


def is_in(folder: RunFolder, state: RunState) -> Callable[[], bool]:
    return lambda: folder.state() is state
