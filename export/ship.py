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
from resnet_core.files import replace_file, sha256_of, write_json, write_text
from resnet_core.folders import swap_in, workshop
from resnet_core.models.cost import count_cost
from resnet_core.models.saved import SavedModel, load_model
from resnet_core.onnx_names import confidence_file, converted_files
from resnet_core.runs.folder import RunFolder
from resnet_core.training.evaluate import evaluate
from resnet_core.training.hardware import Hardware
from resnet_core.zoo import ZOO_FOLDER, ZooEntry, find_in_zoo

ONNX_NAME = "model.onnx"
HISTORY_COLUMNS = (
    "epoch", "train_error_percent", "validation_error_percent", "train_loss", "validation_loss",
    "lr", "images_per_second", "train_seconds",
)  # fmt: skip


def ship(run: RunFolder, name: str | None, data_folder: Path, zoo: Path = ZOO_FOLDER) -> ZooEntry:
    """Put a finished run's model into the zoo, or in the place of the model of that name.

    The card's test error is that of the kept weights in fp32, which is what the ONNX file
    computes; the model is only shipped when the file agrees with PyTorch on every test image.

    Raises:
        RunError: the run has not finished.
        ModelError: the exported file differs from PyTorch's net; the zoo is as it was.
    """
    folder = zoo / (name or run.summary()["model"])
    with workshop(folder) as place:
        ready = place / folder.name
        _build(run, ready, data_folder)
        _carry_over(folder, ready)
        swap_in(ready, folder.resolve())
    return find_in_zoo(folder.name, zoo)


def _build(run: RunFolder, folder: Path, data_folder: Path) -> None:
    """Fill a new folder with the model's four files, proven."""
    summary, weights = run.summary(), run.result_model_file()
    replace_file(folder / "model.safetensors", lambda path: _copy(weights, path))
    saved = load_model(folder / "model.safetensors")
    dataset = load_dataset(summary["data"], data_folder)
    plain = Hardware(torch.device("cpu"), "fp32", compiled=False)
    score = evaluate(saved.model, dataset.test, plain)
    onnx_file = folder / ONNX_NAME
    write_onnx(saved, onnx_file, f"run {run.name}", summary["data"], score.error_percent)
    parity = verify_onnx(onnx_file, saved.model, dataset.test)
    if not parity.passed:
        raise ModelError(
            f"The export of run {run.name} differs from PyTorch ({parity}): not shipped."
        )
    write_text(folder / "history.csv", _history(run))
    write_json(folder / "card.json", _card(run, saved, summary, score.error_percent))


def _carry_over(old: Path, new: Path) -> None:
    """Copy what else lies in a model's folder, but for what was made of another ONNX file."""
    if not old.is_dir():
        return
    onnx_file = old / ONNX_NAME
    made_of_it = [confidence_file(onnx_file), *converted_files(onnx_file)]
    is_same = onnx_file.is_file() and sha256_of(onnx_file) == sha256_of(new / ONNX_NAME)
    for path in old.iterdir():
        if (new / path.name).exists() or (path in made_of_it and not is_same):
            continue
        _copy_all(path, new / path.name)


def _copy_all(source: Path, target: Path) -> None:
    """Copy a file or a folder, up to the first error: `shutil.copytree` goes on, on a full disk too."""
    if not source.is_dir():
        shutil.copy2(source, target)
        return
    target.mkdir()
    for path in source.iterdir():
        _copy_all(path, target / path.name)


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
