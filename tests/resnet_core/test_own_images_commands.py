"""Own images from the command line: shown, trained on, exported, and refused where they don't fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.__main__ import main as export
from export.classifier import classify
from export.session import OnnxSession
from resnet_core.__main__ import main as core
from resnet_core.data.catalogue import list_datasets
from tests.resnet_core.own_pictures import (
    CLASSES,
    SIDE,
    Pictures,
    png,
    write_folder,
    write_npz,
    write_zip,
)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """A command line, run in this process: its status, and what it printed and complained."""

    def run(room: Callable[[list[str]], int], *words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = room(list(map(str, words)))
        return status, *capsys.readouterr()

    return run


def test_the_command_shows_classes_and_what_was_left_out(
    tmp_path: Path, pictures: Pictures, command
) -> None:
    source = write_folder(tmp_path / "birds", pictures)
    (source / "Vögel" / "bro\x1bken.png").write_bytes(b"no")
    words = ("images", source, "--image-size", SIDE, "--data-folder", tmp_path)
    status, shown, _ = command(core, *words)
    told = json.loads(command(core, *words, "--json")[1])
    assert status == 0 and [c["name"] for c in told["classes"]] == list(CLASSES)
    assert told["data"] in shown and "\x1b" not in shown
    rows = [line.rsplit(maxsplit=2) for line in shown.splitlines()[:5]]
    assert rows[1:] == [
        [CLASSES[0], "8", "2"], ["Vögel", "4", "1"], ["鳥 🐦", "4", "1"], ["together", "16", "4"],
    ]  # fmt: skip
    assert (
        "Left out: Vögel/bro\N{REPLACEMENT CHARACTER}ken.png: This file is not a picture" in shown
    )
    status, _, complaint = command(core, "images", tmp_path / "nothing")
    assert status == 2 and "There is nothing at" in complaint


@pytest.mark.parametrize("size", [32, 24])
def test_training_and_export_follow_the_set(tmp_path: Path, size: int, command) -> None:
    """From a zip (32 pixels) or arrays (24) to an ONNX answer; classes told by colour alone."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 100, (39, 24, 24, 3), dtype=np.uint8)
    colours = np.array([[155, 0, 0], [0, 155, 0], [0, 0, 155]], np.uint8)[np.arange(39) % 3]
    made = {f"{CLASSES[i % 3]}/{i:02}.png": noise[i] + colours[i] for i in range(39)}
    if size == 32:
        source = write_zip(tmp_path / "a.zip", made)
    else:
        source = write_npz(tmp_path / "a.npz", made)
    folders = ("--data-folder", tmp_path, "--runs", tmp_path / "runs")
    words = ("train", "--model", "resnet8_v1", "--data", source, "--recipe", "taste", *folders)
    status, printed, complaint = command(
        core, *words, "--epochs", 6, "--batch-size", 8, "--device", "cpu", "--precision", "fp32"
    )
    assert status == 0, complaint
    (name,) = list_datasets(tmp_path)[2:]
    assert f"{name}: 3 classes, 30 training and 9 test images of {size} x {size}" in printed
    (run,) = (tmp_path / "runs").iterdir()
    config = json.loads((run / "config.json").read_text())
    assert f"--data {name} " in config["command"] and str(tmp_path) not in config["command"]
    assert (config["model"]["classes"], config["model"]["input_size"]) == (3, size)
    started, *_ = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    assert (started["train_images"], started["validation_images"]) == (27, 3)
    assert started["steps_per_epoch"] == 3
    assert json.loads((run / "summary.json").read_text())["test_error_percent"] == 0
    status, _, complaint = command(export, "onnx", run)
    assert status == 0, complaint
    facts = OnnxSession(run / "model.onnx", "cpu").facts
    assert (facts.class_names, facts.input_size, facts.data) == (CLASSES, size, name)
    blue = png(np.full((50, 70, 3), (50, 50, 200), np.uint8))
    assert classify(blue, str(run / "model.onnx")).ranked(1)[0][0] == CLASSES[2]


def test_a_net_a_recipe_and_a_set_must_fit(tmp_path: Path, pictures: Pictures, command) -> None:
    source = write_npz(tmp_path / "a.npz", pictures)
    folders = ("--data-folder", tmp_path, "--runs", tmp_path / "runs")
    words = ("train", "--model", "resnet8_v1", *folders, "--epochs", 1, "--data")
    status, _, complaint = command(core, *words, source)
    assert status == 2 and "128 images, but there are 15 to train on" in complaint
    few = {name: x for name, x in pictures.items() if int(name[-6:-4]) < 3}
    small = write_zip(tmp_path / "small.zip", few)
    status, _, complaint = command(core, *words, small, "--batch-size", 4, "--keep", "best")
    assert status == 2 and "--keep last" in complaint
    status, _, complaint = command(core, *words, "own/none")
    assert status == 2 and "there are own/a-" in complaint
    status, _, complaint = command(core, *words, "cifar")
    assert status == 2 and "cifar10, shapes, own/a-" in complaint
    name = list_datasets(tmp_path)[2]
    status, _, complaint = command(core, "evaluate", "resnet20_v1", "--data", name, *folders)
    assert status == 2 and "10 classes apart in 32 x 32" in complaint
