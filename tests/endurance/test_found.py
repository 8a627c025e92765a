"""Every bug that fuzzing found, as the smallest input that shows it. Each must be a sentence now."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.session import OnnxSession
from resnet_core.data.cifar10 import load_cifar10_arrays
from resnet_core.data.own_npz import read_npz
from resnet_core.data.own_store import find_prepared
from resnet_core.doctor.read import read_checkpoint
from resnet_core.errors import (
    ConfigError,
    DataError,
    LabError,
    ModelError,
    PictureError,
    RunError,
)
from resnet_core.files import read_json, write_json
from resnet_core.models.config import ModelConfig
from resnet_core.models.saved import load_model, save_model
from resnet_core.pictures import read_picture
from resnet_core.runs.history import read_history, read_history_csv
from resnet_core.runs.queue import waiting
from resnet_core.runs.summary import describe_runs
from resnet_core.training.config import TrainConfig
from resnet_core.training.recipes import find_recipe
from resnet_core.zoo import zoo_entries
from tests.endurance.fuzz.archives import array, as_zip, packed_seed
from tests.endurance.fuzz.models import header_of, with_header
from tests.export.tiny_onnx import write_tiny_onnx
from tests.written_runs import write_run
from tests.written_speed import speed_row, write_speed

HEADER = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%s,), }"


def npy(shape: bytes, ending: bytes = b"") -> bytes:
    header = HEADER % shape + ending + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(npy(b"1", b"("), id="a header that goes on (TokenError)"),
        pytest.param(npy(b"9" * 30), id="more images than a number holds (OverflowError)"),
        pytest.param(b"no array at all", id="bytes where an array should be (AttributeError)"),
    ],
)
def test_a_damaged_array_is_a_sentence(content: bytes, tmp_path: Path) -> None:
    for name in ("cifar10.npz", "pets.npz", "own/pets.npz"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        parts = {f"{x}_{split}.npy": content for x in "xy" for split in ("train", "test")}
        names = {"class_names.npy": array(np.array(["a", "b"])), "report.npy": content}
        file.write_bytes(as_zip(packed_seed(parts | names)))
    for reader in (
        lambda: load_cifar10_arrays(tmp_path),
        lambda: read_npz(tmp_path / "pets.npz"),
        lambda: find_prepared("own/pets", tmp_path),
    ):
        with pytest.raises(DataError):
            reader()


def test_text_of_no_characters_is_refused_before_it_breaks_python(tmp_path: Path) -> None:
    """numpy makes strings of any 32 bits; their next use was a SystemError."""
    file = tmp_path / "cifar10.npz"
    names = np.array([0x7FFFFFFF, 97], np.uint32).view("<U1")
    images, labels = np.zeros((2, 8, 8, 3), np.uint8), np.zeros(2, np.uint8)
    np.savez(file, x_train=images, y_train=labels, x_test=images, y_test=labels, class_names=names)
    for reader in (lambda: load_cifar10_arrays(tmp_path), lambda: read_npz(file)):
        with pytest.raises(DataError, match="no characters"):
            reader()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("input_size", None), ("input_size", "-3"), ("input_size", "999999999"), ("depth", "x"),
        ("class_names", "7"), ("class_names", '["a"]'), ("class_names", "[" * 100_000),
        ("test_error_percent", None),
    ],
)  # fmt: skip
def test_an_onnx_file_that_describes_itself_wrongly(key: str, value: str | None, tmp_path: Path) -> None:  # fmt: skip
    file = write_tiny_onnx(tmp_path / "net.onnx", ["a", "b"])
    model = onnx.load(file)
    props = {p.key: p.value for p in model.metadata_props} | {key: value}
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {k: v for k, v in props.items() if v is not None})
    onnx.save(model, file)
    with pytest.raises(ModelError, match="describes itself wrongly"):
        _ = OnnxSession(file, "cpu").facts


def test_an_onnx_file_whose_words_are_no_text(tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    file = write_tiny_onnx(tmp_path / "net.onnx", ["a", "b"])
    file.write_bytes(file.read_bytes().replace(b"a test", b"a \xff\xfest"))
    with pytest.raises(ModelError, match="no text"):
        _ = OnnxSession(file, "cpu").facts
    file.write_bytes(b"\x08\x0a no model \xff")
    with pytest.raises(ModelError, match="can't be opened"):
        OnnxSession(file, "cpu")
    assert capfd.readouterr().out == ""  # ONNX Runtime's notes of a second try spoiled --json


def test_a_tiff_whose_directory_lies_further_than_a_number_reaches() -> None:
    with pytest.raises(PictureError):
        read_picture(bytes.fromhex("49492b000100003a0011000022e100ad76d064bbea2e"))


def test_a_library_that_quotes_half_a_file_is_cut_short(tmp_path: Path) -> None:
    """zipfile repeats the whole name of a member that its directory calls otherwise."""
    stem = "a" * 240  # which torch.save calls the members by
    torch.save({"weight": torch.ones(2)}, tmp_path / f"{stem}.pt")
    path = (tmp_path / f"{stem}.pt").rename(tmp_path / "long.pt")
    path.write_bytes(path.read_bytes().replace(stem.encode(), b"b" * 240, 1))
    with pytest.raises(ModelError) as refused:
        read_checkpoint(path)
    assert "long.pt is damaged or cut short" in str(refused.value)
    assert len(str(refused.value)) < 400


def test_a_graph_that_takes_other_pictures(tmp_path: Path) -> None:
    session = OnnxSession(write_tiny_onnx(tmp_path / "net.onnx", ["a", "b"], size=6), "cpu")
    with pytest.raises(ModelError, match="does not run"):
        session.run(np.zeros((1, 4, 4, 3), np.uint8))


@pytest.mark.parametrize(
    "change",
    [
        {"config": "{"}, {"config": "[]"}, {"class_names": "["}, {"class_names": '["a"]'},
        {"config": {"depth": 4994}}, {"config": {"depth": 20.5}}, {"config": {"classes": 10**9}},
        {"config": {"depth": 6 * 10**8 + 2}},
    ],
)  # fmt: skip
def test_weights_that_describe_their_net_wrongly(change: dict, tmp_path: Path) -> None:
    """The last three once built a net of that size before looking whether there are weights."""
    import torch

    from resnet_core.models.network import PixelModel

    file = tmp_path / "model.safetensors"
    config = ModelConfig("plain", 8, classes=2)
    save_model(file, PixelModel(config, torch.zeros(3), torch.ones(3)), ("a", "b"))
    header, tensors = header_of(file)
    held = json.loads(header)
    for key, value in change.items():
        is_fields = isinstance(value, dict)
        text = json.dumps(config.to_dict() | value) if is_fields else value
        held["__metadata__"][key] = text
    file.write_bytes(with_header(json.dumps(held).encode(), tensors))
    with pytest.raises(LabError):
        load_model(file)


EDITS = {
    "environment.json": [b"[]", b"7", b"\xff", b'{"process_id": "x"}', b"[" * 100_000],
    "events.jsonl": [
        b"[]\n", b'{"event": "step"}\n', b'{"event": "started", "step": "x"}\n',
        b'{"event": "started", "total_steps": {}}\n{"event": "epoch", "step": 1e999}\n', b"[" * 99_999 + b"\n",
    ],
    "config.json": [b"[]", b"null", b"\xff", b'{"recipe": 3}', b'{"model": [], "recipe": []}'],
    "summary.json": [b"[]", b"{", b"\xff"],
    "queued": [b'{"place": 1e999}', b"[]", b"\xff"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "content"), [(n, c) for n, cs in EDITS.items() for c in cs])
def test_a_run_that_was_edited_by_hand(name: str, content: bytes, tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", epochs=1)
    if name in ("environment.json", "queued"):
        run.summary_file.unlink()
    (run.path / name).write_bytes(content)
    assert [row["name"] for row in describe_runs(tmp_path)] == ["run"]
    waiting(tmp_path)
    run.state()
    for reader in (run.events, lambda: read_history(run)):
        try:
            reader()
        except RunError:
            assert name == "config.json"


def test_a_shipped_card_that_is_damaged_hides_no_other(tmp_path: Path) -> None:
    for name, content in (("a", b"\xff"), ("b", b"{}"), ("c", b"[]")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.json").write_bytes(content)
    shipped = {entry.name: entry for entry in zoo_entries()}
    (tmp_path / "d").mkdir()
    write_json(tmp_path / "d" / "card.json", shipped["plain20"].card)
    assert [entry.name for entry in zoo_entries(tmp_path)] == ["d"]


def test_results_and_histories_that_were_edited(tmp_path: Path) -> None:
    from benchmarks.depth.study import read_study
    from benchmarks.throughput.stored import read_speed

    speed = write_speed(tmp_path / "speed.json", [speed_row()], progress={"done": 1})
    with pytest.raises(ConfigError):
        read_speed(speed)
    (tmp_path / "history.csv").write_text("epoch,images_per_second,train_seconds\n1\n")
    with pytest.raises(RunError):
        read_history_csv(tmp_path / "history.csv", 128)
    recipe = {"epochs": 1}
    runs = [{"model": "plain20", "seed": float("inf")}]
    study = {"format": "resnet-lab-study-1", "data": "x", "recipe": recipe, "runs": runs, "commands": []}  # fmt: skip
    (tmp_path / "study.json").write_text(json.dumps(study))
    with pytest.raises(RunError):
        read_study(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"epochs": float("nan")}, {"epochs": float("inf")}, {"momentum": float("nan")},
     {"weight_decay": float("inf")}, {"drop_points": (float("nan"),), "drop_factors": (1.0,)}],
)  # fmt: skip
def test_recipes_take_numbers_alone(changes: dict) -> None:
    with pytest.raises(ConfigError):
        find_recipe("fast").changed(**changes)


@pytest.mark.parametrize(
    "changes", [{"seed": 10**30}, {"threads": 10**9}, {"checkpoint_seconds": float("nan")}]
)
def test_configs_take_numbers_that_can_be_used(changes: dict) -> None:
    with pytest.raises(ConfigError):
        TrainConfig(ModelConfig("plain", 8), "shapes", find_recipe("fast"), "data", **changes)


def test_a_message_is_one_line_that_no_terminal_obeys() -> None:
    assert str(LabError("a\nb\x1b[2J\udcff")) == "a b\ufffd[2J\ufffd"


def test_a_folder_whose_name_is_no_text_can_be_written_down(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"data_folder": "pets\udcff"})
    assert read_json(tmp_path / "x.json") == {"data_folder": "pets\udcff"}


@pytest.mark.parametrize("field", ["model", "top_k", "engine"])
def test_the_endpoint_takes_names_and_numbers_alone(field: str) -> None:
    import gradio as gr

    from ui.classify.tab import _answer_api

    sent = {"model": "resnet20_v1", "top_k": 3, "engine": ""} | {field: [1]}
    with pytest.raises(gr.Error, match="should be names"):
        _answer_api(Path("ui/classify/examples/ship.jpg"), **sent)
