"""How many nets to train at a time: small nets leave a big GPU idle, and crowd a small CPU."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from export.session import has_nvidia_gpu
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import reproducing_command

ROOT = Path(__file__).resolve().parents[2]
TRIED = (1, 2, 4, 8, 16)
LEAST_GAIN = 1.1  # below it, more at a time is only more memory
LIMIT_SECONDS = 300
Measure = Callable[[int], float | None]


def choose_at_once(config: TrainConfig) -> int:
    """One on a CPU; on a GPU as many as still add throughput, measured for about a minute."""
    if config.device == "cpu" or not has_nvidia_gpu():
        return 1
    return best_number(lambda number: _images_per_second(config, number))


def best_number(measure: Measure, tried: tuple[int, ...] = TRIED) -> int:
    """The largest number that is still worth it.

    Args:
        measure: number of runs at a time → images/s of all together; None where they do not fit.
    """
    best, best_rate = tried[0], measure(tried[0])
    for number in tried[1:]:
        rate = measure(number)
        if rate is None or best_rate is None or rate < LEAST_GAIN * best_rate:
            break
        best, best_rate = number, rate
    return best


def _images_per_second(config: TrainConfig, number: int) -> float | None:
    words = ["estimate", *shlex.split(reproducing_command(config))[4:]]
    command = [sys.executable, "-m", "resnet_core", *words,
               "--data-folder", config.data_folder, "--json"]  # fmt: skip
    running = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for _ in range(number)
    ]
    outputs = [process.communicate(timeout=LIMIT_SECONDS)[0] for process in running]
    if any(process.returncode for process in running):
        return None
    return sum(json.loads(output.splitlines()[-1])["images_per_second"] for output in outputs)
