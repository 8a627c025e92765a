"""Real runs in real processes, for the tests that kill, stop and queue them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file

from resnet_core.runs.folder import RunFolder, RunState

ROOT = Path(__file__).resolve().parents[2]
# 105 steps of which 70 make an epoch: a kill falls into either, and checkpoints come at any step.
WORDS = [
    "train", "--model", "resnet8_v1", "--data", "shapes", "--recipe", "taste", "--epochs", "1.5",
    "--checkpoint-seconds", "0.3",
]  # fmt: skip
TIMED = {"at", "images_per_second", "train_seconds", "eta_seconds"}


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "resnet_core", *map(str, words)]


def run(*words: object) -> subprocess.CompletedProcess:
    return subprocess.run(command(*words), cwd=ROOT, capture_output=True, text=True, timeout=500)


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
    assert epochs_of(a) == epochs_of(b) and len(epochs_of(a)) == 2
    assert a.summary()["test_error_percent"] == b.summary()["test_error_percent"]


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)


def queue_run(runs: Path, *words: object) -> RunFolder:
    done = run(*WORDS, "--queue", "--json", "--runs", runs, *words)
    assert done.returncode == 0, done.stderr
    return RunFolder(runs / json.loads(done.stdout)["run"])


def has_steps(folder: RunFolder, at_least: int = 1) -> bool:
    steps = [e["step"] for e in folder.events() if e["event"] == "step"]
    return bool(steps) and steps[-1] >= at_least


def is_in(folder: RunFolder, state: RunState) -> Callable[[], bool]:
    return lambda: folder.state() is state
