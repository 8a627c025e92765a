"""What travels between a study and the nodes that compute it, without a cluster."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks.depth import on_node, parcels
from benchmarks.depth.on_node import use_data, workplace
from benchmarks.depth.parcels import Packer, Parcel, pack_for_node, unpack_at_home, unpack_on_node
from benchmarks.depth.sent_data import DataStore
from resnet_core.data.own_images import prepare_images
from resnet_core.data.own_store import load_own_arrays
from resnet_core.errors import RunError
from resnet_core.models.config import parse_model_name
from resnet_core.runs.claims import claim, release
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import create_run, read_config
from resnet_core.training.recipes import find_recipe
from tests.resnet_core.own_pictures import draw_pictures, write_zip

CONFIG = TrainConfig(parse_model_name("resnet8_v1"), "shapes", find_recipe("taste"), "data")


def parcel(offset: int, events: bytes, **files: bytes) -> Parcel:
    named = {name.replace("_", "."): content for name, content in files.items()}
    return Parcel(1, 2, "127.0.0.2", 7, offset, events, named)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    (tmp_path / "home").mkdir()
    return RunFolder(tmp_path / "home")


def test_a_parcel_is_written_so_that_a_kill_leaves_a_run_to_go_on_with(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    monkeypatch.setattr(parcels, "replace_file", lambda path, _: written.append(path.name))
    files = {
        "summary_json": b"s", "last_state": b"c", "environment_json": b"e", "last_safetensors": b"l",
        "best_safetensors": b"b",
    }  # fmt: skip
    unpack_at_home(parcel(0, b"{}\n", **files), folder)
    assert folder.events_file.read_bytes() == b"{}\n"
    assert sorted(written[:2]) == ["best.safetensors", "last.safetensors"]
    assert written[2:] == ["last.state", "summary.json"]


def test_events_are_sent_once_and_land_where_they_belong(folder: RunFolder, tmp_path: Path) -> None:
    folder.config_file.write_text("{}")
    folder.events_file.write_bytes(b'{"step": 1}\n{"st')  # torn by an earlier kill
    away = RunFolder(tmp_path / "away")
    unpack_on_node(pack_for_node(folder), away)
    packer = Packer(away)
    assert packer.changed_files() == {}
    for line in (b'\n{"step": 2}\n', b'{"step": 3}\n'):
        with open(away.events_file, "ab") as file:
            file.write(line)
        unpack_at_home(parcel(*packer.new_events()), folder)
    assert folder.events_file.read_bytes() == away.events_file.read_bytes()
    assert packer.new_events()[1] == b""


def test_what_was_exported_goes_before_new_weights_come(folder: RunFolder) -> None:
    folder.onnx_file.write_bytes(b"of the weights before")
    unpack_at_home(parcel(0, b"{}\n", environment_json=b"e"), folder)
    assert folder.onnx_file.exists()
    unpack_at_home(parcel(3, b"", last_safetensors=b"l"), folder)
    assert not folder.onnx_file.exists()


def test_only_what_changed_is_sent(folder: RunFolder) -> None:
    folder.state_file.write_bytes(b"old")
    packer = Packer(folder)
    folder.tensorboard_folder.mkdir()
    (folder.tensorboard_folder / "events.1").write_bytes(b"t")
    folder.best_model_file.write_bytes(b"b")
    assert packer.changed_files() == {"best.safetensors": b"b", "tensorboard/events.1": b"t"}
    assert packer.changed_files() == {}


def test_a_node_that_lacks_the_data_gets_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[bytes] = []
    store = SimpleNamespace(get=lambda content: fetched.append(content) or content)
    monkeypatch.setitem(sys.modules, "ray", store)
    monkeypatch.setattr(on_node, "_home", lambda: tmp_path / "node")
    prepared = prepare_images(write_zip(tmp_path / "pets.zip", draw_pictures()), tmp_path / "data")
    config = replace(CONFIG, data=prepared.name, data_folder=str(tmp_path / "data"))
    put: list[bytes] = []
    sent = DataStore(lambda content: put.append(content) or content)
    data = sent.send(config)
    assert data is not None and sent.send(config) is data and len(put) == 1

    for number in range(3):
        folder = create_run(config, Path(), tmp_path / f"run{number}")
        use_data(folder, data)
        there = Path(read_config(folder).data_folder)
        assert there.is_relative_to(tmp_path / "node")
        ours, theirs = (load_own_arrays(prepared.name, f) for f in (there, tmp_path / "data"))
        assert (ours.x_train == theirs.x_train).all() and (ours.y_test == theirs.y_test).all()
        if number == 1:  # a copy that was damaged meanwhile is fetched again
            (there / data.name).write_bytes(b"damaged")
    assert len(fetched) == 2


def test_data_that_is_drawn_from_a_seed_is_not_sent() -> None:
    assert DataStore(lambda _: pytest.fail("was sent")).send(CONFIG) is None


def test_a_killed_runs_leftovers_on_a_node_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_node, "_home", lambda: tmp_path)
    (tmp_path / "run-old").mkdir()
    (tmp_path / "run-old.lock").touch()
    with workplace() as first, workplace() as second:
        assert first.is_dir() and second.is_dir() and not (tmp_path / "run-old").exists()
    assert list(tmp_path.iterdir()) == []


def test_a_released_run_is_free_while_this_process_lives(folder: RunFolder) -> None:
    claim(folder, {"torch": "2.15.0"})
    assert folder.state() is RunState.RUNNING
    release(folder)
    assert folder.state() is RunState.INTERRUPTED and folder.environment()["torch"] == "2.15.0"
    claim(folder, folder.environment(), process_id=1)
    release(folder)  # another's claim is not ours to give up
    assert folder.process_id() == 1
    with pytest.raises(RunError, match="already running"):
        claim(folder, {})
