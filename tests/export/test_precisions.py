"""fp16 and int8 files: what they keep, what they cost, and what their makers refuse."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest

from export.engines.catalogue import ENGINES
from export.half import write_fp16
from export.precisions import existing_file, file_for
from export.quantise import write_int8
from export.report import report
from export.session import OnnxSession
from resnet_core.errors import ModelError
from resnet_core.zoo import find_in_zoo, zoo_entries
from tests.plain_onnx import classes_of, open_onnx

EXACT = find_in_zoo("resnet20_v1").onnx_file


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)


def plain_run(file: Path, pixels: np.ndarray) -> np.ndarray:
    return open_onnx(file).run(["probabilities"], {"image": pixels})[0]


def test_fp16_halves_the_file_and_keeps_its_inputs_and_answers(tmp_path: Path, pixels) -> None:
    write_fp16(EXACT, tmp_path / "model.fp16.onnx")
    half = onnx.load(tmp_path / "model.fp16.onnx")
    assert EXACT.stat().st_size / 2.1 < (tmp_path / "model.fp16.onnx").stat().st_size
    assert (tmp_path / "model.fp16.onnx").stat().st_size < EXACT.stat().st_size / 1.8
    large = [t for t in half.graph.initializer if np.prod(t.dims) > 100]
    assert large and {t.data_type for t in large} == {onnx.TensorProto.FLOAT16}
    found = plain_run(tmp_path / "model.fp16.onnx", pixels)
    assert found.dtype == np.float32 and found.shape == (7, 10)
    assert np.abs(found - plain_run(EXACT, pixels)).max() < 0.02
    facts = OnnxSession(tmp_path / "model.fp16.onnx", "cpu").facts
    assert facts.precision == "fp16" and facts.test_error_percent is None
    assert facts.class_names == OnnxSession(EXACT, "cpu").facts.class_names


def test_int8_is_static_per_channel_and_close(tmp_path: Path, shapes, pixels) -> None:
    train = shapes.train
    out = tmp_path / "model.int8.onnx"
    result = write_int8(EXACT, out, train.images[:600].numpy(), train.labels[:600].numpy())
    assert result.calibration_images == 300 and result.judging_images == 300
    graph = onnx.load(out).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["QuantizeLinear"] > 19 and not kinds["DynamicQuantizeLinear"]
    scales = {tuple(t.dims) for t in graph.initializer if "weight_scale" in t.name}
    # A scale a channel: as many as the layers of the three stages are wide.
    assert {(16,), (32,), (64,)} <= scales
    # Two products of a weight and a pixel fit into 16 bits, where processors without VNNI add them.
    weights = [t for t in graph.initializer if t.name.endswith("_quantized") and len(t.dims) > 1]
    assert len(weights) >= 20
    most = max(abs(onnx.numpy_helper.to_array(t).astype(int)).max() for t in weights)
    assert 2 * 255 * most < 2**15
    assert np.abs(plain_run(out, pixels) - plain_run(EXACT, pixels)).max() < 0.35
    assert OnnxSession(out, "cpu").facts.precision == "int8"
    # The same images and seed make the same file.
    write_int8(
        EXACT, tmp_path / "again.onnx", train.images[:600].numpy(), train.labels[:600].numpy()
    )
    assert (tmp_path / "again.onnx").read_bytes() == out.read_bytes()


@pytest.mark.parametrize("entry", zoo_entries(), ids=lambda entry: entry.name)
def test_shipped_int8_files_lose_little(entry, data_folder: Path) -> None:
    """On the test images, with nothing between pixels and answer but ONNX Runtime itself."""
    with np.load(data_folder / "cifar10.npz") as data:
        images, labels = data["x_test"], data["y_test"]
    file = existing_file(entry.onnx_file, "int8")
    error = 100 * (classes_of(file, images) != labels).mean()
    assert error - entry.card["test_error_percent"] <= 0.3
    assert file.stat().st_size < 0.45 * entry.onnx_file.stat().st_size


def test_a_report_has_a_row_a_precision_and_says_what_is_missing(tmp_path: Path, shapes) -> None:
    file = tmp_path / "model.onnx"
    shutil.copy(EXACT, file)
    shutil.copy(file_for(EXACT, "int8"), file_for(file, "int8"))
    test = shapes.test.take(np.arange(300))
    rows = list(report(file, test.images.numpy(), test.labels.numpy()))
    by_file = {row.precision: row for row in rows if "ONNX Runtime" in row.runs or row.reason}
    assert (
        by_file["fp16"].reason.endswith("--precision fp16` makes it")
        and by_file["fp16"].test_error_percent is None
    )
    assert by_file["fp32"].agreement_percent == 100
    exact, small = (
        plain_run(file, test.images.numpy()),
        plain_run(file_for(file, "int8"), test.images.numpy()),
    )
    row = by_file["int8"]
    assert row.agreement_percent == pytest.approx(100 * (exact.argmax(1) == small.argmax(1)).mean())
    assert row.max_probability_difference == pytest.approx(np.abs(exact - small).max(), abs=1e-5)
    assert row.test_error_percent == pytest.approx(
        100 * (small.argmax(1) != test.labels.numpy()).mean()
    )
    assert any(row.runs.startswith("OpenVINO") and row.precision == "int8" for row in rows)


def test_openvino_in_int8_answers_as_onnxruntime_does(cifar10) -> None:
    """With a free batch it gets a fifth of them wrong: each size is compiled with fixed shapes."""
    images = cifar10.test.images[:500].numpy()
    model = ENGINES["openvino-cpu"].open(EXACT, "int8", 1)
    expected = plain_run(file_for(EXACT, "int8"), images)
    for batch in (1, 7, 500):
        found = model.run(images[:batch])
        assert (found.argmax(1) == expected[:batch].argmax(1)).mean() >= 0.97


def test_a_missing_file_says_how_to_make_it(tmp_path: Path, run_module) -> None:
    shutil.copy(EXACT, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="python -m export onnx MODEL --precision int8"):
        ENGINES["onnxruntime-cpu"].open(tmp_path / "model.onnx", "int8", 1)
    made = run_module(
        "export", "onnx", "resnet20_v1", "--precision", "fp16",
        "--out", tmp_path / "model.fp16.onnx",
    )  # fmt: skip
    assert made.returncode == 0 and (tmp_path / "model.fp16.onnx").is_file(), made.stderr
    assert [p.name for p in tmp_path.iterdir() if "unproven" in p.name] == []
    no_data = run_module(
        "export", "onnx", "resnet20_v1", "--precision", "int8", "--data-folder", tmp_path,
        "--out", tmp_path / "model.int8.onnx", http_proxy="http://127.0.0.1:9",
        https_proxy="http://127.0.0.1:9",
    )  # fmt: skip
    assert no_data.returncode == 2 and "CIFAR-10" in no_data.stderr
    assert not (tmp_path / "model.int8.onnx").exists()


def test_report_command_prints_json(run_module, data_folder: Path, tmp_path: Path) -> None:
    """On drawn images of a run's own data: CIFAR-10's 10,000 are for the zoo's test above."""
    model = onnx.load(EXACT)
    kept = {prop.key: prop.value for prop in model.metadata_props}
    onnx.helper.set_model_props(model, kept | {"data": "shapes"})
    onnx.save(model, tmp_path / "model.onnx")
    done = run_module("export", "report", tmp_path / "model.onnx", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [row["precision"] for row in rows][:3] == ["fp32", "fp16", "int8"]
    assert rows[0]["agreement_percent"] == 100 and "--precision fp16" in rows[1]["reason"]
