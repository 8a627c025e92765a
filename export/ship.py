"""From a finished run to a folder of the zoo: weights, ONNX file, card and history, all checked."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import Any

import torch

from export.onnx_file import write_onnx
from export.verify import verify_onnx
from resnet_core.data.dataset import load_dataset
from resnet_core.errors import ModelError
from resnet_core.files import replace_file, write_json, write_text
from resnet_core.models.cost import count_cost
from resnet_core.models.saved import SavedModel, load_model
from resnet_core.runs.folder import RunFolder
from resnet_core.training.evaluate import evaluate
from resnet_core.training.hardware import Hardware
from resnet_core.zoo import ZOO_FOLDER, ZooEntry, find_in_zoo

HISTORY_COLUMNS = (
    "epoch", "train_error_percent", "validation_error_percent", "train_loss", "validation_loss",
    "lr", "images_per_second", "train_seconds",
)  # fmt: skip


def ship(run: RunFolder, name: str | None, data_folder: Path, zoo: Path = ZOO_FOLDER) -> ZooEntry:
    """Put a finished run's model into the zoo.

    The card's test error is that of the kept weights in fp32, which is what the ONNX file
    computes; the file is only kept when it agrees with PyTorch on every test image.

    Raises:
        RunError: the run has not finished.
        ModelError: the exported file differs from PyTorch's net.
    """
    summary = run.summary()
    saved = load_model(run.result_model_file())
    dataset = load_dataset(summary["data"], data_folder)
    plain = Hardware(torch.device("cpu"), "fp32", compiled=False)
    score = evaluate(saved.model, dataset.test, plain)
    folder = zoo / (name or summary["model"])
    onnx_file = folder / "model.onnx"
    write_onnx(saved, onnx_file, f"run {run.name}", summary["data"], score.error_percent)
    parity = verify_onnx(onnx_file, saved.model, dataset.test)
    if not parity.passed:
        shutil.rmtree(folder)
        raise ModelError(
            f"The export of run {run.name} differs from PyTorch ({parity}): not shipped."
        )
    weights = run.result_model_file()
    replace_file(folder / "model.safetensors", lambda path: _copy(weights, path))
    write_text(folder / "history.csv", _history(run))
    write_json(folder / "card.json", _card(run, saved, summary, score.error_percent))
    return find_in_zoo(folder.name, zoo)


def _copy(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())


def _history(run: RunFolder) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, HISTORY_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(event for event in run.events() if event["event"] == "epoch")
    return text.getvalue()


def _card(
    run: RunFolder, saved: SavedModel, summary: dict[str, Any], error: float
) -> dict[str, Any]:
    config = run.config()
    cost, size = count_cost(saved.model.config), saved.model.config.input_size
    environment = {k: v for k, v in run.environment().items() if not k.startswith("process_")}
    return {
        "name": saved.model.config.name,
        "config": saved.model.config.to_dict(),
        "class_names": list(saved.class_names),
        "input": f"uint8 RGB (N, {size}, {size}, 3)",
        "data": summary["data"],
        "recipe": config["recipe"],
        "seed": config["seed"],
        "split_seed": config["split_seed"],
        "epochs": summary["epochs"],
        "weights": f"{summary['kept']} epoch ({summary['kept_epoch']})",
        "train_error_percent": summary["train_error_percent"],
        "validation_error_percent": summary["validation_error_percent"],
        "test_error_percent": error,
        "train_seconds": round(summary["train_seconds"]),
        "params": cost.params,
        "multiply_adds": cost.multiply_adds,
        "environment": environment,
        "command": config["command"],
        # The recipe's batch is one device's.
        **({"devices": config["devices"]} if config.get("devices", 1) > 1 else {}),
        # Of a net that began with trained weights: what it learned from is theirs too.
        **({"start": config["start"]} if config.get("start") else {}),
    }
