"""A disk that can't be written, one that is full, a clock that jumps, files with flipped bits."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import torch

from export.__main__ import main as export
from export.session import OnnxSession
from resnet_core import files
from resnet_core.__main__ import main as core
from resnet_core.data.cifar10 import load_cifar10_arrays
from resnet_core.errors import DataError, LabError, ModelError
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import PixelModel
from resnet_core.models.saved import load_model, save_model
from resnet_core.runs import folder as run_folder
from resnet_core.runs.claims import claim
from resnet_core.runs.folder import RunState, list_runs, new_run_folder
from resnet_core.runs.summary import describe_run
from tests.export.tiny_onnx import write_tiny_onnx
from tests.resnet_core.doctor.ports import Port
from tests.written_runs import write_run

FLIPS = 120


def mounted(place: Path, options: str) -> Iterator[Path]:
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", options, "none", str(place)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.fail("This test mounts a disk: run it as root, as CI does.")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "sealed", "size=1m,ro")


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    yield from mounted(tmp_path / "small", "size=64k")


def commands(place: Path, tmp_path: Path) -> dict[str, tuple]:
    """Every command that writes a file, writing it into `place`."""
    port, names = tmp_path / "port.pth", tmp_path / "names.txt"
    torch.save(Port().state_dict(), port)
    names.write_text("\n".join("abcdefghij"))
    pets = tmp_path / "pets"
    for kind in ("cat", "dog"):
        (pets / kind).mkdir(parents=True)
        for number in range(3):
            noise = np.random.default_rng([number, ord(kind[0])]).integers(
                0, 256, (64, 64, 3), np.uint8
            )
            (pets / kind / f"{number}.png").write_bytes(_png(noise))
    train = ["train", "--model", "plain8", "--data", "shapes", "--recipe", "taste"]
    where = ["--name", "net", "--runs", place]
    return {
        "train": (core, *train, "--run", place / "run"),
        "images": (core, "images", pets, "--data-folder", place, "--image-size", 224),
        "import": (core, "import", port, "--normalisation", "imagenet", "--classes", names, *where),
        "onnx": (export, "onnx", "plain20", "--out", place / "model.onnx"),
        "csv": (export, "classify", pets, "--csv", place / "answers.csv", "--engine", "onnxruntime-cpu:fp32"),
    }  # fmt: skip


def _png(pixels: np.ndarray) -> bytes:
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["train", "images", "import", "onnx", "csv"])
def test_a_folder_that_cannot_be_written_is_said(
    name: str, read_only: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    main, *words = commands(read_only, tmp_path)[name]
    assert main(list(map(str, words))) == 2
    said = capsys.readouterr().err.strip().split("\n")[-1]
    assert said.startswith("Error: ") and str(read_only) in said and "Read-only" in said


@pytest.mark.parametrize("name", ["images", "import", "onnx"])
def test_a_disk_without_room_is_said_and_keeps_no_half(
    name: str, full_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A run on a full disk has its own test; these write once, whole or not at all."""
    main, *words = commands(full_disk, tmp_path)[name]
    assert main(list(map(str, words))) == 2
    said = capsys.readouterr().err.strip().split("\n")[-1]
    assert said.startswith("Error: ") and "No space left" in said
    left = [p for p in full_disk.rglob("*") if p.is_file() and p.stat().st_size]
    assert left == []


def test_runs_of_a_clock_that_goes_back_are_kept_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(["2026-10-25T02:59:59", "2026-10-25T02:00:00", "2026-10-25T02:59:59"])

    class Clock:
        @staticmethod
        def now() -> datetime:
            return datetime.fromisoformat(next(times))

    monkeypatch.setattr(run_folder, "datetime", Clock)
    made = [new_run_folder(tmp_path, "plain8", "shapes", {"number": i}) for i in range(3)]
    assert len({run.name for run in made}) == 3 == len(list_runs(tmp_path))
    assert [files.read_json(run.config_file)["number"] for run in made] == [0, 1, 2]


@pytest.mark.parametrize("jump_seconds", [-(10**6), 10**6])
def test_a_clock_that_jumps_changes_no_state_and_no_time_left(
    jump_seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", steps=60)
    claim(run, {})
    before = describe_run(run)
    text = run.events_file.read_text()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump_seconds)
    monkeypatch.setattr(files, "time", lambda: real() + jump_seconds)
    assert describe_run(run) == before and before["state"] == RunState.RUNNING.value
    assert "eta_seconds" in text and before["eta_seconds"] > 0
    # A file that this process is writing looks old after a jump, and is no leftover.
    written = tmp_path / f".summary.json.{os.getpid()}.tmp"
    written.write_text("{")
    other = tmp_path / ".summary.json.99999999.tmp"
    other.write_text("{")
    files.write_json(tmp_path / "summary.json", {})
    # The write's own temporary file has that very name: it was replaced, not swept.
    assert other.exists() == (jump_seconds < 0)


def test_a_dataset_cut_short_anywhere_is_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "cifar10.npz"
    images, labels = np.zeros((20, 32, 32, 3), np.uint8), np.zeros(20, np.uint8)
    names = np.array(["a", "b"])
    np.savez_compressed(
        file, x_train=images, y_train=labels, x_test=images, y_test=labels, class_names=names
    )
    whole = file.read_bytes()
    for length in range(0, len(whole), max(1, len(whole) // 100)):
        file.write_bytes(whole[:length])
        with pytest.raises(DataError, match="delete it"):
            load_cifar10_arrays(tmp_path)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    model = PixelModel(ModelConfig("plain", 8, classes=2), torch.zeros(3), torch.ones(3))
    save_model(file, model, ("a", "b"))
    return file


def test_a_flipped_bit_anywhere_in_weights_is_refused_or_changes_nothing(weights: Path) -> None:
    whole, expected = weights.read_bytes(), load_model(weights)
    state = expected.model.state_dict()
    rng = np.random.default_rng(0)
    header_ends = 8 + int.from_bytes(whole[:8], "little")
    places = [*rng.integers(0, header_ends, FLIPS // 2), *rng.integers(header_ends, len(whole), FLIPS // 2)]  # fmt: skip
    refused = 0
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        weights.write_bytes(damaged)
        try:
            found = load_model(weights)
        except LabError as error:
            refused += 1
            assert str(error)
            continue
        assert place < header_ends  # no byte of a weight may change unseen
        for name, tensor in found.model.state_dict().items():
            assert torch.equal(tensor, state[name])
    assert refused > FLIPS // 2


def test_weights_of_versions_without_a_hash_still_open(weights: Path) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    with safe_open(weights, framework="pt") as file:
        metadata = dict(file.metadata())
    assert len(metadata.pop("tensors_sha256")) == 64
    save_file(load_file(weights), weights, metadata)
    assert load_model(weights).class_names == ("a", "b")


def test_a_flipped_bit_in_onnx_is_refused_or_the_file_still_answers(tmp_path: Path) -> None:
    """Opening can't see a changed weight: `python -m export verify` compares with PyTorch for that."""
    file = write_tiny_onnx(tmp_path / "net.onnx", ["a", "b"])
    whole, rng = file.read_bytes(), np.random.default_rng(0)
    images = rng.integers(0, 256, (2, 6, 6, 3), np.uint8)
    answered = 0
    for place in rng.integers(0, len(whole), FLIPS):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        try:
            session = OnnxSession(file, "cpu", threads=1)
            assert session.facts.class_names
            answered += session.run(images)[1].shape == (2, 2)
        except ModelError as error:
            assert str(error)
    assert 0 < answered < FLIPS
