"""Checkpoints that mean harm or are damaged: refused, each with its reason."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from resnet_core.doctor import read
from resnet_core.doctor.diagnose import diagnose
from resnet_core.errors import LabError
from resnet_core.models.config import ModelConfig
from resnet_core.models.header import FORMAT
from tests.resnet_core.doctor.ports import Port, save
from tests.resnet_core.doctor.refusal import refuse

STATE = Port(1).state_dict()


class Runs:
    """Runs a function when it is unpickled."""

    def __init__(self, function: Callable, *arguments: object):
        self.does = function, arguments

    def __reduce__(self) -> tuple:
        return self.does


def bare(content: Any, path: Path, protocol: int) -> None:
    path.write_bytes(pickle.dumps(content, protocol))


WRITERS: dict[str, Callable[[Any, Path], Any]] = {
    "zip": lambda content, path: save(content, path),
    "old": lambda content, path: save(content, path, legacy=True),
    "bare pickle 2": lambda content, path: bare(content, path, 2),
    "bare pickle 5": lambda content, path: bare(content, path, 5),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_pickle_that_would_run_a_program_is_not_opened(
    writer: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    touched = tmp_path / "touched"
    attack = Runs(open, str(touched), "w")
    pickle.loads(pickle.dumps(attack)).close()
    assert touched.exists()  # so it would run
    touched.unlink()
    path = tmp_path / "evil.pth"
    WRITERS[writer]({"args": attack, "state_dict": STATE}, path)
    said = refuse(path, capsys)
    assert ".open when it is opened" in said and "not opened" in said
    assert not touched.exists()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        # What PyTorch's own guard lets through.
        ({"a": Runs(bytearray, 10**12)}, "bytearray"),
        ({"a": Runs(torch.Tensor, 10**6, 10**6)}, "Tensor"),
        (Port(1), r"ports\.Port"),
        ({"state_dict": STATE, "args": np.float64(1)}, "numpy"),
    ],
    ids=["bytearray", "tensor", "whole model", "numpy"],
)
def test_nothing_but_plain_tensors_is_opened(
    content: Any, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    tracemalloc.start()
    for legacy in (False, True):
        path = save(content, tmp_path / "a.pth", legacy)
        with pytest.raises(LabError, match=reason):
            diagnose(path)
        refuse(path, capsys)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 20 * 2**20


def rewrite(path: Path, change: Callable[[str, bytes], bytes], **options: Any) -> None:
    """The zip at `path` with members changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, change(name, data))


def squeeze(path: Path) -> None:
    save({"a": torch.zeros(10**6)}, path)
    rewrite(path, lambda _, data: data, compression=zipfile.ZIP_DEFLATED)


def overlap(path: Path) -> None:
    save({"a": torch.zeros(10**6)}, path)
    with zipfile.ZipFile(path, "a") as archive:
        largest = max(archive.filelist, key=lambda member: member.file_size)
        for number in range(50):
            again = zipfile.ZipInfo(f"archive/data/x{number}")
            again.file_size = again.compress_size = largest.file_size
            again.CRC, again.header_offset = largest.CRC, largest.header_offset
            archive.filelist.append(again)
        archive.writestr("archive/last", b"")


def claim(path: Path, legacy: bool) -> None:
    """A tensor of 70,000 elements that says it has two thousand million."""
    save({"a": torch.zeros(70_000)}, path, legacy)

    def enlarge(_: str, data: bytes) -> bytes:
        return data.replace(b"J" + struct.pack("<i", 70_000), b"J" + struct.pack("<i", 2**31 - 1))

    if legacy:
        path.write_bytes(enlarge("", path.read_bytes()))
    else:
        rewrite(path, enlarge)


def claim_in_safetensors(path: Path) -> None:
    header = {"conv1.weight": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}}  # fmt: skip
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(100))


def flip(path: Path) -> None:
    save(STATE, path)
    data = bytearray(path.read_bytes())
    place = data.index(STATE["layer3.0.conv1.weight"].numpy().tobytes())
    data[place + 100] ^= 0xFF
    path.write_bytes(data)


def cut(path: Path, legacy: bool = False) -> None:
    save(STATE, path, legacy)
    path.write_bytes(path.read_bytes()[:-1000])


def cut_safetensors(path: Path) -> None:
    whole = save(STATE, path.with_suffix(".safetensors"))
    whole.rename(path)
    path.write_bytes(path.read_bytes()[:-1000])


def torchscript(path: Path) -> None:
    save(STATE, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("archive/constants.pkl", b"\x80\x02).")


def other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")


def nested(path: Path) -> None:
    content: Any = torch.zeros(3)
    for _ in range(300):
        content = {"state_dict": content}
    save(content, path)


def cyclic(path: Path) -> None:
    content: dict[str, Any] = {"epoch": 3}
    content |= {"optimizer": [content] * 100, "state_dict": content}
    save(content, path)


def lie(path: Path, layers: int) -> None:
    """A file of this kit that claims so many layers and holds one."""
    from safetensors.torch import save_file

    config = ModelConfig("plain", 8).to_dict() | {"depth": layers}
    metadata = {"format": FORMAT, "config": json.dumps(config), "class_names": "[]"}
    save_file({"classifier.weight": torch.zeros(10, 64)}, path, metadata)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (squeeze, "packed or encrypted"),
        (overlap, "claims .* GB in a file of"),
        (lambda path: claim(path, False), "claims a tensor of 2,147,483,647"),
        (lambda path: claim(path, True), "claims a tensor of 2,147,483,647"),
        (claim_in_safetensors, "damaged or cut short"),
        (lambda path: save({"a": torch.zeros(1).expand(10**5, 10**5)}, path), "claims"),
        (lambda path: save({"conv1.weight": torch.zeros(1).expand(1, 2)}, path), "claims 2 elements"),
        (flip, "damaged.*CRC"),
        (cut, "damaged or cut short"),
        (lambda path: cut(path, True), "damaged or cut short"),
        (cut_safetensors, "damaged or cut short"),
        (torchscript, "TorchScript"),
        (other_zip, "not one that PyTorch writes"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_bytes(b"\n<!DOCTYPE html>"), "web page"),
        (lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1"), "Git LFS"),
        (lambda path: path.write_bytes(b"\x1f\x8b123"), "gzip"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n"), "neither"),
        (lambda path: path.mkdir(), "is not a file"),
        (lambda path: None, "does not exist"),
        (lambda path: save([torch.zeros(3)], path), "holds a list"),
        (lambda path: save({"epoch": 3}, path), "no tensors"),
        (lambda path: save({"a\x1b[2J": torch.zeros(3)}, path), "can't be read"),
        (lambda path: save(dict.fromkeys("abc", torch.zeros(3)), path), "in no way known here"),
        (nested, "nests its parts"),
        (cyclic, "nests its parts"),
        (lambda path: lie(path, 302), "fewer than it has layers"),
        (lambda path: lie(path, 6_000_002), "at most 5,000 layers"),
    ],
)  # fmt: skip
def test_damaged_and_deceiving_files_are_refused(
    write: Callable[[Path], Any], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "a.pth"
    write(path)
    with pytest.raises(LabError, match=reason):
        diagnose(path)
    assert "\x1b" not in refuse(path, capsys)


def test_files_and_parts_are_limited(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = save(STATE, tmp_path / "a.pth")
    with monkeypatch.context() as patch:
        patch.setattr(read, "MAX_FILE_BYTES", 1000)
        assert "more than" in refuse(path, capsys)
    with monkeypatch.context() as patch:
        patch.setattr("resnet_core.doctor.archive.MAX_MEMBERS", 10)
        assert "more than 10 parts" in refuse(path, capsys)
    monkeypatch.setattr("resnet_core.doctor.archive.MAX_PICKLE_BYTES", 100)
    assert "beside its tensors" in refuse(path, capsys)


def test_no_damage_to_a_file_is_a_traceback(tmp_path: Path) -> None:
    """Bytes changed at random, mostly where the structure is: refused, or read."""
    rng = np.random.default_rng(0)
    refused = 0
    for name, legacy in (("a.pth", False), ("b.pth", True), ("c.safetensors", False)):
        source = save({k: t for k, t in STATE.items() if t.numel() < 100}, tmp_path / name, legacy)
        data = source.read_bytes()
        for _ in range(150):
            changed = bytearray(data)
            for place in rng.integers(0, rng.choice([len(data), 2000]), rng.integers(1, 5)):
                changed[place if rng.random() < 0.5 else -1 - place] = rng.integers(256)
            source.write_bytes(changed)
            try:
                diagnose(source)
            except LabError as error:
                refused += 1
                assert "\n" not in str(error) and str(error).isprintable()
    assert refused == 450  # small tensors alone are never a whole net


def test_two_readers_of_a_zip_see_the_same_archive(tmp_path: Path) -> None:
    """A second archive before the first: what is checked is what is loaded."""
    harmless, evil = io.BytesIO(), io.BytesIO()
    torch.save(STATE, harmless)
    touched = tmp_path / "touched"
    torch.save(Runs(open, str(touched), "w"), evil)
    path = tmp_path / "a.pth"
    for first, second in ((evil, harmless), (harmless, evil)):
        path.write_bytes(first.getvalue() + second.getvalue())
        try:
            assert diagnose(path).config.name == "resnet8_v1"
        except LabError as error:
            assert "open" in str(error) or "damaged" in str(error)
        assert not touched.exists()


def test_the_command_ends_in_one_sentence_or_in_a_model(tmp_path: Path, run_module) -> None:
    words = ("import", save(STATE, tmp_path / "good.pth"), "--runs", tmp_path / "runs")
    known = ("--normalisation", "imagenet", "--data", "cifar10")
    good = run_module("resnet_core", *words, *known)
    assert good.returncode == 0, good.stderr
    assert "resnet8_v1, shortcut A, 10 classes" in good.stdout
    assert "Next: python -m export onnx good" in good.stdout
    assert (tmp_path / "runs" / "imported" / "good" / "model.safetensors").is_file()
    torn = {key: tensor for key, tensor in STATE.items() if key != "bn1.bias"}
    bad = run_module("resnet_core", "import", save(torn, tmp_path / "bad.pth"), *known)
    assert bad.returncode == 2 and not bad.stdout
    assert bad.stderr.startswith("Error: bad.pth looks like resnet8_v1")
    assert bad.stderr.count("\n") == 1 and "Traceback" not in bad.stderr
