"""A run's model comes into the zoo whole and proven, or what was there stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from export import ship as shipping
from export.confidence import confidence_file
from export.precisions import file_for
from export.ship import ship
from export.verify import Parity, verify_onnx
from resnet_core.data.dataset import Dataset
from resnet_core.errors import ModelError
from resnet_core.models.saved import load_model, save_model
from resnet_core.runs.folder import RunFolder
from resnet_core.zoo import zoo_entries
from tests.export.test_onnx import NAMES, make
from tests.processes import ROOT
from tests.written_runs import write_run

BELONGING = ("model.int8.onnx", "model.fp16.onnx", "model.confidence.json")


@pytest.fixture(autouse=True)
def few_pictures(shapes: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    few = replace(shapes, test=shapes.test.take(torch.arange(50)))
    monkeypatch.setattr(shipping, "load_dataset", lambda name, folder: few)


def finished_run(path: Path, bias: float) -> RunFolder:
    """A run that came to an end, by its files."""
    run = write_run(path, "plain", 8)
    saved = make("plain8", "A")
    with torch.no_grad():
        saved.model.network.classifier.bias += bias
    save_model(run.last_model_file, saved.model, NAMES)
    run.config_file.write_text(json.dumps(run.config() | {"split_seed": 0}))
    facts = {
        "model": "plain8", "data": "shapes", "epochs": 3, "kept": "last", "kept_epoch": 3,
        "validation_error_percent": None,
    }  # fmt: skip
    run.summary_file.write_text(json.dumps(run.summary() | facts))
    return run


def ship_first(tmp_path: Path) -> tuple[Path, Path]:
    """A zoo of one model, with all that can lie beside it; the zoo and the model's folder."""
    zoo = tmp_path / "zoo"
    folder = ship(finished_run(tmp_path / "first", 0), "net", tmp_path, zoo).folder
    for name in (*BELONGING, "notes.txt"):
        (folder / name).write_text(name)
    return zoo, folder


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_new_model_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    zoo, folder = ship_first(tmp_path)
    before = content(folder)
    second = finished_run(tmp_path / "second", 0.5)
    entry = ship(second, "net", tmp_path, zoo)
    after = content(folder)
    # What was measured or converted of the old weights says nothing of the new ones.
    assert after.keys() == before.keys() - {*BELONGING} and after["notes.txt"] == b"notes.txt"
    assert after["model.onnx"] != before["model.onnx"]
    assert after["model.safetensors"] == second.last_model_file.read_bytes()
    assert entry.card["test_error_percent"] == json.loads(after["card.json"])["test_error_percent"]
    assert verify_onnx(entry.onnx_file, load_model(second.last_model_file).model, None).passed
    assert [path.name for path in zoo.iterdir()] == ["net"]


def test_the_same_weights_again_keep_what_was_made_of_them(tmp_path: Path) -> None:
    zoo, folder = ship_first(tmp_path)
    onnx_file = folder / "model.onnx"
    made = [confidence_file(onnx_file), file_for(onnx_file, "int8"), file_for(onnx_file, "fp16")]
    assert sorted(path.name for path in made) == sorted(BELONGING)
    before = content(folder)
    ship(RunFolder(tmp_path / "first"), "net", tmp_path, zoo)
    assert content(folder) == before


def test_folders_beside_a_model_go_with_it(tmp_path: Path) -> None:
    zoo, folder = ship_first(tmp_path)
    (folder / "plots" / "dark").mkdir(parents=True)
    (folder / "plots" / "dark" / "curve.svg").write_text("drawn")
    ship(finished_run(tmp_path / "second", 0.5), "net", tmp_path, zoo)
    assert (folder / "plots" / "dark" / "curve.svg").read_text() == "drawn"


def test_a_failed_parity_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zoo, folder = ship_first(tmp_path)
    before = content(folder)
    monkeypatch.setattr(shipping, "verify_onnx", lambda *_: Parity(1.0, 1.0, 50, 90.0, 20.0))
    second = finished_run(tmp_path / "second", 0.5)
    with pytest.raises(ModelError, match="differs from PyTorch"):
        ship(second, "net", tmp_path, zoo)
    with pytest.raises(ModelError, match="not shipped"):
        ship(second, "new", tmp_path, zoo)
    assert content(folder) == before
    assert [path.name for path in zoo.iterdir()] == ["net"]


def test_a_kill_leaves_the_old_model(tmp_path: Path) -> None:
    """Killed when the new one is written and proven, but not in its place."""
    zoo, folder = ship_first(tmp_path)
    before = content(folder)
    program = (
        "import os, sys; from pathlib import Path; import export.ship as s; "
        "from resnet_core.runs.folder import RunFolder; "
        "s.swap_in = lambda ready, target: os._exit(9); "
        "s.ship(RunFolder(Path(sys.argv[1])), 'net', Path(), Path(sys.argv[2]))"
    )
    second = finished_run(tmp_path / "second", 0.5)
    words = [sys.executable, "-c", program, str(second.path), str(zoo)]
    assert subprocess.run(words, cwd=ROOT, env=os.environ).returncode == 9
    assert content(folder) == before
    assert [entry.name for entry in zoo_entries(zoo)] == ["net"]
