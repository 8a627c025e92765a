"""Run folders written by hand, in the layout that training writes."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from resnet_core.models.photo_families import PHOTO_FAMILIES
from resnet_core.runs.folder import RunFolder

STEPS_PER_EPOCH = 40
BATCH_SIZE = 128
PARTS = ("stem", "stage1", "stage2", "stage3", "classifier")


def write_run(
    path: Path,
    family: str = "resnet_v1",
    depth: int = 20,
    seed: int = 0,
    epochs: int = 3,
    steps: int | None = None,
    rate: float = 1000.0,
    validation: bool = True,
    gradients: bool = True,
) -> RunFolder:
    """A run that came to `steps` (its end, if not given), with a step event every fourth step."""
    folder = RunFolder(path)
    path.mkdir(parents=True)
    steps = epochs * STEPS_PER_EPOCH if steps is None else steps
    events = list(run_events(seed, epochs, steps, rate, validation, gradients))
    config = {
        "model": {
            "family": family,
            "depth": depth,
            "shortcut": "B" if family in PHOTO_FAMILIES else "A",
        },
        "data": "shapes",
        "recipe": {"name": "fast", "epochs": float(epochs), "batch_size": BATCH_SIZE},
        "seed": seed,
        "command": f"python -m resnet_core train --seed {seed}",
    }
    folder.config_file.write_text(json.dumps(config))
    folder.environment_file.write_text(
        json.dumps({"torch": "2.15.0", "process_id": 2**22, "process_started_at": "never"})
    )
    append(folder, events)
    if steps == epochs * STEPS_PER_EPOCH:
        summary = {
            "test_error_percent": events[-1]["test_error_percent"],
            "train_error_percent": events[-2]["train_error_percent"],
            "train_seconds": steps * BATCH_SIZE / rate,
            "params": 270_000 * depth // 20,
            "multiply_adds": 41_000_000 * depth // 20,
            "environment": {"torch": "2.15.0"},
        }
        folder.summary_file.write_text(json.dumps(summary))
    return folder


def run_events(
    seed: int, epochs: int, steps: int, rate: float, validation: bool, gradients: bool
) -> Any:
    """Events as the loop yields them: a step's figures are the mean over its epoch so far."""
    rng = np.random.default_rng(seed)
    total = epochs * STEPS_PER_EPOCH
    errors = 10 + 80 * np.exp(-np.arange(total) / 30) + rng.normal(0, 2, total)
    yield started(0, total)
    for step in range(1, steps + 1):
        first = (step - 1) // STEPS_PER_EPOCH * STEPS_PER_EPOCH
        figures = {
            "step": step,
            "epoch": (step - 1) // STEPS_PER_EPOCH + 1,
            "lr": 0.1 * (1 - step / total),
            "train_loss": errors[first:step].mean() / 40,
            "train_error_percent": errors[first:step].mean(),
            "eta_seconds": (total - step) * BATCH_SIZE / rate,
            "images_per_second": rate,
        }
        if gradients:
            figures["gradient_norms"] = {
                part: math.exp(number - step / 50) for number, part in enumerate(PARTS)
            }
        if step % 4 == 0:
            yield {"event": "step", "total_steps": total, **figures}
        if step % STEPS_PER_EPOCH == 0:
            error = float(errors[step - 1] + 2) if validation else None
            yield {
                "event": "epoch",
                **figures,
                "train_seconds": step * BATCH_SIZE / rate,
                "validation_error_percent": error,
                "validation_loss": error / 40 if error else None,
            }
    if steps == total:
        yield {"event": "finished", "step": total, "test_error_percent": float(errors[-1] + 3)}


def started(step: int, total: int) -> dict[str, Any]:
    return {
        "event": "started", "step": step, "total_steps": total, "steps_per_epoch": STEPS_PER_EPOCH,
        "train_images": STEPS_PER_EPOCH * BATCH_SIZE + 7,
    }  # fmt: skip


def append(folder: RunFolder, events: list[dict[str, Any]]) -> None:
    with open(folder.events_file, "a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)
