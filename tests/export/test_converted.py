"""An int8 or fp16 file answers for the fp32 file it was made from, and for no other."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.__main__ import main
from export.catalogue import find_exported
from export.classifier import open_engine
from export.converted import SOURCE_HASH
from export.engines.catalogue import ENGINES
from export.half import write_fp16
from export.make import make_onnx
from export.precisions import existing_file, file_for
from export.quantise import write_int8
from export.report import report
from export.tuned import FORMAT, cache_file, read_tuned
from resnet_core.errors import ModelError
from resnet_core.files import write_json
from resnet_core.models.saved import save_model
from resnet_core.training.find import FoundModel, find_model
from resnet_core.zoo import find_in_zoo, zoo_entries
from tests.export.test_onnx import NAMES, make
from tests.plain_onnx import open_onnx

MODEL, OTHER = find_in_zoo("resnet20_v1"), find_in_zoo("plain20")
ANEW = "make it anew with `python -m export onnx MODEL --precision int8`."
ENGINE = "onnxruntime-cpu:int8"


def metadata(file: Path) -> dict[str, str]:
    return {prop.key: prop.value for prop in onnx.load(file).metadata_props}


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write_unsaid(file: Path, out: Path) -> None:
    """As earlier versions wrote it."""
    model = onnx.load(file)
    (said,) = [prop for prop in model.metadata_props if prop.key == SOURCE_HASH]
    model.metadata_props.remove(said)
    onnx.save(model, out)


@pytest.fixture(params=["card.json", "config.json"])
def folder(request, tmp_path: Path) -> Path:
    """A model's folder of the zoo, or a run's, with fp32 and int8 files that belong together."""
    (tmp_path / request.param).write_text("{}")
    return filled(tmp_path)


def filled(folder: Path) -> Path:
    shutil.copy(MODEL.onnx_file, folder / "model.onnx")
    shutil.copy(MODEL.folder / "model.int8.onnx", folder / "model.int8.onnx")
    return folder


@pytest.mark.parametrize("entry", zoo_entries(), ids=lambda entry: entry.name)
def test_what_ships_belongs_together(entry) -> None:
    found = metadata(entry.folder / "model.int8.onnx")
    assert found[SOURCE_HASH] == digest(entry.onnx_file)
    exact = metadata(entry.onnx_file)
    assert all(found[key] == exact[key] for key in ("name", "config", "class_names", "data"))


def test_what_is_converted_says_of_which_file(tmp_path: Path, shapes) -> None:
    few = shapes.train.take(np.arange(40))
    write_fp16(MODEL.onnx_file, tmp_path / "half.onnx")
    write_int8(MODEL.onnx_file, tmp_path / "small.onnx", few.images.numpy(), few.labels.numpy())
    for name in ("half.onnx", "small.onnx"):
        assert metadata(tmp_path / name)[SOURCE_HASH] == digest(MODEL.onnx_file)


@pytest.mark.parametrize("engine", ["onnxruntime-cpu", "openvino-cpu"])
def test_an_int8_file_of_another_model_never_answers(folder: Path, engine: str) -> None:
    file = folder / "model.onnx"
    ENGINES[engine].open(file, "int8", 1)
    shutil.copy(OTHER.onnx_file, file)  # as after a new export
    with pytest.raises(ModelError) as refused:
        ENGINES[engine].open(file, "int8", 1)
    said = str(refused.value)
    assert said.endswith(f"was not made from the model.onnx that lies beside it: {ANEW}")
    assert "\n" not in said and said.startswith(str(folder))
    with pytest.raises(ModelError, match="was not made from"):
        find_exported(str(folder / "model.int8.onnx"))


def test_an_int8_file_that_does_not_say_its_source_is_refused_where_the_kit_put_it(
    folder: Path,
) -> None:
    write_unsaid(MODEL.folder / "model.int8.onnx", folder / "model.int8.onnx")
    with pytest.raises(ModelError, match="does not say whether") as refused:
        existing_file(folder / "model.onnx", "int8")
    assert str(refused.value).endswith(ANEW)
    with pytest.raises(ModelError, match="does not say whether"):
        open_engine(str(folder / "model.int8.onnx"))


def test_files_of_other_tools_open_wherever_they_lie(tmp_path: Path) -> None:
    filled(tmp_path)
    write_unsaid(MODEL.folder / "model.int8.onnx", tmp_path / "model.int8.onnx")
    assert existing_file(tmp_path / "model.onnx", "int8") == tmp_path / "model.int8.onnx"
    # By its own path a file is itself, whatever lies beside it.
    shutil.copy(OTHER.folder / "model.int8.onnx", tmp_path / "model.int8.onnx")
    assert open_engine(str(tmp_path / "model.int8.onnx")).facts.name == "plain20"
    with pytest.raises(ModelError, match="was not made from"):
        existing_file(tmp_path / "model.onnx", "int8")


def test_a_damaged_or_lonely_file_is_told(folder: Path) -> None:
    (folder / "model.int8.onnx").write_bytes(b"\x08 not a model")
    with pytest.raises(ModelError, match="make it anew"):
        existing_file(folder / "model.onnx", "int8")
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match="no model file at"):
        existing_file(folder / "model.onnx", "int8")


def test_an_opened_model_follows_the_file_it_opened(folder: Path, rng) -> None:
    pixels = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    name, small = str(folder / "model.onnx"), folder / "model.int8.onnx"

    def expected() -> np.ndarray:
        return open_onnx(small).run(["probabilities"], {"image": pixels})[0]

    opened = open_engine(name, ENGINE)
    np.testing.assert_allclose(opened.run(pixels), expected(), atol=1e-6)
    assert open_engine(name, ENGINE) is opened
    # Another int8 file of the same fp32 file: here of other weights, to be told apart.
    other = onnx.load(OTHER.folder / "model.int8.onnx")
    onnx.helper.set_model_props(other, metadata(OTHER.folder / "model.int8.onnx") | {
        SOURCE_HASH: digest(folder / "model.onnx")
    })  # fmt: skip
    onnx.save(other, small)
    np.testing.assert_allclose(open_engine(name, ENGINE).run(pixels), expected(), atol=1e-6)
    shutil.copy(OTHER.onnx_file, folder / "model.onnx")
    with pytest.raises(ModelError, match="was not made from"):
        open_engine(name, ENGINE)
    small.unlink()
    with pytest.raises(ModelError, match="no int8 file"):
        open_engine(name, ENGINE)


def test_a_report_says_why_a_file_has_no_figures(folder: Path, shapes) -> None:
    shutil.copy(OTHER.onnx_file, folder / "model.onnx")
    few = shapes.test.take(np.arange(20))
    rows = list(report(folder / "model.onnx", few.images.numpy(), few.labels.numpy()))
    told = [row for row in rows if row.precision == "int8"]
    assert len(told) >= 2 and all(row.test_error_percent is None for row in told)
    assert all("was not made from" in row.reason for row in told)


def test_triton_does_not_take_it(folder: Path, tmp_path: Path, capsys) -> None:
    words = ["triton", str(folder / "model.int8.onnx"), "--out", str(tmp_path / "repo")]
    assert main([*words, "--name", "net"]) == 0
    shutil.copy(OTHER.onnx_file, folder / "model.onnx")
    assert main([*words, "--name", "another"]) == 2
    assert ANEW in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "repo").iterdir()] == ["net"]


@pytest.fixture
def found(tmp_path: Path) -> FoundModel:
    """A small model by its weights, in a folder of its own."""
    saved = make("plain8", "A")
    (tmp_path / "net").mkdir()
    save_model(tmp_path / "net" / "model.safetensors", saved.model, NAMES)
    return replace(find_model(str(tmp_path / "net" / "model.safetensors"), tmp_path), data="shapes")


def test_what_is_converted_is_the_file_beside_it(found: FoundModel, tmp_path: Path) -> None:
    exact = make_onnx(found, "fp32", None, tmp_path).file
    kept = exact.with_name("model.other.onnx")
    model = onnx.load(exact)
    onnx.helper.set_model_props(model, metadata(exact) | {"source": "an earlier version"})
    onnx.save(model, exact)
    exact.rename(kept)
    shutil.copy(kept, exact)
    half = make_onnx(found, "fp16", None, tmp_path).file
    assert existing_file(exact, "fp16") == half == file_for(exact, "fp16")
    assert metadata(half)["source"] == "an earlier version"
    assert exact.read_bytes() == kept.read_bytes()


def test_made_in_either_order_they_belong_together(found: FoundModel, tmp_path: Path) -> None:
    half = make_onnx(found, "fp16", None, tmp_path).file
    exact = make_onnx(found, "fp32", None, tmp_path).file
    assert existing_file(exact, "fp16") == half


@pytest.mark.parametrize("beside", ["another model's", "an earlier epoch's", "damaged"])
def test_an_fp32_file_of_other_weights_is_not_converted(
    found: FoundModel, tmp_path: Path, beside: str
) -> None:
    exact = found.folder / "model.onnx"
    if beside == "an earlier epoch's":
        make_onnx(found, "fp32", None, tmp_path)
        found.saved.model.network.classifier.bias.data[0] += 0.1
    else:
        exact.write_bytes(b"x" if beside == "damaged" else MODEL.onnx_file.read_bytes())
    before = exact.read_bytes()
    with pytest.raises(ModelError, match="does not hold the weights of") as refused:
        make_onnx(found, "fp16", None, tmp_path)
    assert f"`python -m export onnx MODEL --out {exact}`" in str(refused.value)
    assert exact.read_bytes() == before
    assert {path.name for path in found.folder.iterdir()} == {"model.onnx", "model.safetensors"}


def test_a_file_replaced_while_it_is_converted_does_not_pass_for_the_source(
    found: FoundModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = make_onnx(found, "fp32", None, tmp_path).file

    def convert(source: Path, out: Path) -> None:
        shutil.copy(OTHER.onnx_file, exact)  # another process exports
        write_fp16(source, out)

    monkeypatch.setattr("export.make.write_fp16", convert)
    make_onnx(found, "fp16", None, tmp_path)
    with pytest.raises(ModelError, match="was not made from"):
        existing_file(exact, "fp16")


def test_what_was_measured_before_files_said_their_source_counts_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    told = {"model": "m", "rows": [], "chosen": ENGINE, "environment": {}, "gate": "none"}
    write_json(cache_file(MODEL.onnx_file), {"format": FORMAT} | told)
    assert read_tuned(MODEL.onnx_file) is not None
    write_json(cache_file(MODEL.onnx_file), {"format": "resnet-lab-engines-1"} | told)
    assert read_tuned(MODEL.onnx_file) is None
