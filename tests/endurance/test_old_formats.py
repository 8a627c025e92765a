"""Folders and files as earlier versions wrote them still open; those of a version to come say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.depth.study import read_study
from benchmarks.throughput.stored import read_speed
from resnet_core.errors import LabError, RunError
from resnet_core.files import write_json
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.history import read_history
from resnet_core.runs.summary import describe_run
from resnet_core.training.new_run import extend, read_config
from resnet_core.zoo import imported_entries, zoo_entries
from tests.written_speed import speed_file, speed_row

MODEL = {
    "family": "resnet_v1", "depth": 8, "shortcut": "A", "classes": 10, "input_size": 32,
    "gate_bias": -3.0,
}  # fmt: skip
RECIPE = {
    "name": "taste", "epochs": 1.0, "batch_size": 128, "optimizer": "muon", "lr": 0.1,
    "schedule": "one_cycle", "weight_decay": 5e-4, "decay": "weights",
    "augmentation": "crop_flip", "normalisation": "per_channel", "muon_lr": 0.015,
    "momentum": 0.9, "nesterov": True, "label_smoothing": 0.0, "warmup_share": 0.2,
    "drop_points": [], "drop_factors": [], "warmup_lr": None,
    "warmup_until_error_percent": 80.0, "validation_images": 5000, "keep": "last",
    "source": "ResNet Lab",
}  # fmt: skip
FIRST = {
    "model": MODEL, "data": "shapes", "recipe": RECIPE, "data_folder": "data", "seed": 0,
    "split_seed": 0, "device": "auto", "precision": "auto", "compile": "auto", "threads": 0,
    "command": "python -m resnet_core train --model resnet8_v1",
}  # fmt: skip
# What each version's config.json had, oldest first.
CONFIGS: dict[str, dict[str, Any]] = {
    "the first": FIRST,
    "checkpoints by time": FIRST | {"checkpoint_seconds": 30.0},
    "TensorBoard": FIRST | {"checkpoint_seconds": 30.0, "tensorboard": False},
    "several devices": FIRST | {"checkpoint_seconds": 30.0, "tensorboard": False, "devices": 1},
    "extensions": FIRST | {"devices": 1, "extensions": [{"from_epochs": 0.5, "to_epochs": 1.0}]},
    "a format": FIRST | {"format": "resnet-lab-run-1", "devices": 1},
}
STARTED = {
    "event": "started", "at": 1.0, "step": 0, "total_steps": 70, "steps_per_epoch": 70,
    "train_images": 9000, "validation_images": 1000, "device": "cpu", "precision": "fp32",
    "compiled": False,
}  # fmt: skip
STEP = {
    "event": "step", "at": 2.0, "step": 35, "total_steps": 70, "epoch": 1, "lr": 0.1,
    "train_loss": 2.0, "train_error_percent": 70.0, "images_per_second": 900.0,
}  # fmt: skip
EPOCH = {
    "event": "epoch", "at": 3.0, "epoch": 1, "step": 70, "lr": 0.0, "train_loss": 1.5,
    "train_error_percent": 50.0, "validation_loss": 1.4, "validation_error_percent": 48.0,
    "images_per_second": 900.0, "train_seconds": 10.0,
}  # fmt: skip
SHARED = {"devices": 1, "global_batch_size": 128, "lr_scale": 1}
NORMS = {"gradient_norms": {"stem": 0.1, "classifier": 0.2}}
EVENTS: dict[str, list[dict[str, Any]]] = {
    "the first": [STARTED, STEP | {"eta_seconds": 5.0}, EPOCH],
    "time left in every line": [STARTED, STEP | {"eta_seconds": 5.0}, EPOCH | {"eta_seconds": 0.0}],
    "gradient norms": [
        STARTED, STEP | NORMS | {"eta_seconds": 5.0}, EPOCH | NORMS | {"eta_seconds": 0.0},
    ],
    "several devices": [
        STARTED | SHARED, STEP | NORMS | {"eta_seconds": 5.0}, EPOCH | NORMS | {"eta_seconds": 0.0},
    ],
}  # fmt: skip


def write_old_run(path: Path, config: dict[str, Any], events: list[dict[str, Any]]) -> RunFolder:
    folder = RunFolder(path)
    path.mkdir()
    write_json(folder.config_file, config)
    folder.events_file.write_text("".join(json.dumps(event) + "\n" for event in events))
    write_json(folder.environment_file, {"process_id": 2**22, "process_started_at": "1"})
    return folder


@pytest.mark.parametrize("version", CONFIGS)
def test_configs_of_all_versions_are_read_and_can_be_extended(version: str, tmp_path: Path) -> None:
    folder = write_old_run(tmp_path / "run", CONFIGS[version], EVENTS["the first"])
    config = read_config(folder)
    assert config.model.name == "resnet8_v1" and config.devices == 1
    assert describe_run(folder)["state"] == "interrupted"
    extend(folder, 1.0)
    assert read_config(folder).recipe.epochs == 2.0
    stored = folder.config()
    assert stored["format"] == "resnet-lab-run-1"  # what is written again is of this version
    assert len(stored["extensions"]) == len(CONFIGS[version].get("extensions", [])) + 1


@pytest.mark.parametrize("version", EVENTS)
def test_events_of_all_versions_give_the_same_curves(version: str, tmp_path: Path) -> None:
    folder = write_old_run(tmp_path / "run", FIRST, EVENTS[version])
    history = read_history(folder)
    assert [p.step for p in history.steps] == [35] and [p.step for p in history.epochs] == [70]
    assert history.epochs[0].validation_error_percent == 48.0 and history.total_steps == 70
    has_norms = version not in ("the first", "time left in every line")
    assert bool(history.epochs[0].gradient_norms) == has_norms


def test_a_run_of_a_version_to_come_says_so(tmp_path: Path) -> None:
    folder = write_old_run(tmp_path / "run", FIRST | {"format": "resnet-lab-run-2"}, [])
    with pytest.raises(RunError, match="another version"):
        read_config(folder)


def test_a_study_of_a_version_to_come_says_so(tmp_path: Path) -> None:
    study = {"format": "resnet-lab-study-1", "data": "shapes", "recipe": RECIPE, "runs": [], "commands": []}  # fmt: skip
    write_json(tmp_path / "study.json", study)
    assert read_study(tmp_path).recipe.name == "taste"
    write_json(tmp_path / "study.json", study | {"format": "resnet-lab-study-2"})
    with pytest.raises(LabError, match="study-2"):
        read_study(tmp_path)


def test_speed_files_from_before_there_was_a_format_are_read(tmp_path: Path) -> None:
    held = speed_file([speed_row()])
    first = {key: held[key] for key in ("environment", "rows")}
    write_json(tmp_path / "speed.json", first)
    stored = read_speed(tmp_path / "speed.json")
    assert stored.is_finished and stored.models[0]["name"] == "resnet20_v1"
    write_json(tmp_path / "speed.json", held | {"format": "resnet-lab-throughput-2"})
    with pytest.raises(LabError):
        read_speed(tmp_path / "speed.json")


def test_cards_as_the_first_version_wrote_them_are_listed(tmp_path: Path) -> None:
    """Before there were splits by seed, multiply-adds were there, histories were not."""
    card = {
        "name": "plain20", "config": MODEL | {"family": "plain", "depth": 20}, "data": "cifar10",
        "class_names": list("abcdefghij"), "recipe": RECIPE, "seed": 0, "epochs": 3,
        "test_error_percent": 22.8, "params": 269_722, "multiply_adds": 40_551_808,
        "command": "python -m resnet_core train --model plain20",
    }  # fmt: skip
    write_json(tmp_path / "plain20" / "card.json", card)
    assert [entry.name for entry in zoo_entries(tmp_path)] == ["plain20"]
    write_json(tmp_path / "imported" / "net" / "card.json", card | {"imported": {"source": "x"}})
    assert [entry.name for entry in imported_entries(tmp_path)] == ["net"]
