"""Triton repositories, spoilt on purpose: each refused with its reason, what Triton allows passes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from export.__main__ import main
from export.triton.check import check_model, check_repository
from resnet_core.errors import ConfigError, ModelError
from tests.export.tiny_onnx import ANIMALS, write_tiny_onnx

SPOILT = {
    "another name": ('"animals"', '"plants"', "name in config.pbtxt is 'plants'"),
    "a misspelt field": ("max_batch_size", "max_batchsize", "no field named"),
    "not protobuf text": ("input {", "input { {", "does not read"),
    "another backend": ('"onnxruntime"', '"pytorch"', "needs the backend onnxruntime"),
    "no batches": ("max_batch_size: 64", "max_batch_size: 0", "takes batches"),
    "the batch in the dims": ("dims: [ 6, 6, 3 ]", "dims: [ -1, 6, 6, 3 ]", r"has the dims \[-1"),
    "another size": ("dims: [ 6, 6, 3 ]", "dims: [ 7, 7, 3 ]", r"those of the file .*\[6, 6, 3\]"),
    "another type": ("TYPE_UINT8", "TYPE_FP32", r"TYPE_FP32, but the file has tensor\(uint8\)"),
    "no such type": ("TYPE_UINT8", "TYPE_UINT9", "no value named TYPE_UINT9"),
    "an unknown output": ('"logits"', '"scores"', "has no output 'scores'"),
    "an output left out": ('"logits"', '"scores"', "'logits' of version 1's file is not config"),
    "an output twice": ('"logits"', '"probabilities"', "'probabilities' is given twice"),
    "no such labels": ('"labels.txt"', '"names.txt"', "no such text file"),
    "labels elsewhere": ('"labels.txt"', '"../labels.txt"', "no such text file"),
    "the model elsewhere": ('"model.onnx"', '"../model.onnx"', "leads out of"),
    "too large a batch": ("[ 16, 32, 64 ]", "[ 16, 32, 128 ]", r"preferred_batch_size has \[128\]"),
    "a batch twice": ("[ 16, 32, 64 ]", "[ 16, 16, 64 ]", "names a size twice"),
    "no instance": ("count: 1", "count: 0", "has the count 0"),
    "GPUs of a CPU": ("kind: KIND_GPU", "kind: KIND_CPU gpus: [ 0 ]", r"names GPUs \[0\]"),
    "a GPU's accelerator": (
        "kind: KIND_GPU",
        "kind: KIND_CPU",
        "every instance_group is of KIND_C",
    ),
    "no such accelerator": ('"tensorrt"', '"warp"', "'warp' is no accelerator of a GPU"),
    "on the wrong device": ("gpu_execution_a", "cpu_execution_a", "'tensorrt' is no accelerator"),
    "no such precision": ('"FP32"', '"FP8"', "'FP8': expected FP32"),
    "too large a warm-up": ("batch_size: 1\n", "batch_size: 65\n", "has the batch size 65"),
    "a warm-up of nothing": ("random_data: true", "", "either zeros or random"),
    "a warm-up of another": ('key: "image"', 'key: "sound"', r"feeds \['sound'\], but"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_configuration_is_refused_with_the_reason(how: str, served: Path) -> None:
    old, new, reason = SPOILT[how]
    file = served / "animals" / "config.pbtxt"
    text = file.read_text()
    assert old in text and check_repository(served) == ["animals"]
    file.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=reason):
        check_repository(served)


def test_hand_made_changes_that_triton_allows_pass(served: Path) -> None:
    file = served / "animals" / "config.pbtxt"
    text = "# by hand\n" + file.read_text()
    for old, new in (
        ('name: "animals"\n', ""),
        ('backend: "onnxruntime"', 'platform: "onnxruntime_onnx"'),
        ("input {", "input: {"),
        ("dims: [ 6, 6, 3 ]", "dims: 6 dims: 6 dims: 3"),
        ("random_data: true", "zero_data: true"),
        ('"FP32"', '"FP16"'),
    ):
        assert old in text
        text = text.replace(old, new)
    text += 'parameters { key: "intra_op_thread_count" value { string_value: "1" } }\n'
    file.write_text(text)
    (served / "animals" / "1").rename(served / "animals" / "7")
    (served / "README.txt").write_text("files beside the models are nobody's business")
    assert check_repository(served) == ["animals"]


def test_spoilt_files_are_refused_with_the_reason(served: Path, tmp_path: Path) -> None:
    folder = served / "animals"
    labels, version = folder / "labels.txt", folder / "1"

    def problems() -> str:
        return " ".join(check_model(folder))

    assert problems() == ""
    labels.write_text("bee\nant\ncrow\ndove\n")
    assert "does not list the 4 classes of version 1's file, in their order" in problems()
    labels.write_text("ant\nbee\n")
    assert "labels.txt has 2 labels, but 'logits' has 4 values" in problems()
    labels.write_bytes(b"\xff\n" * 4)
    assert "no such text file" in problems()
    labels.write_text("\n".join(ANIMALS))
    assert problems() == ""

    version.rename(folder / "v1")
    assert "'v1' is no version" in problems() and "no version folder" in problems()
    (folder / "v1").rename(version)
    model = (version / "model.onnx").read_bytes()
    (version / "model.onnx").write_bytes(model[: len(model) // 2])
    assert "can't be opened as an ONNX model" in problems()
    (version / "model.onnx").unlink()
    assert "There is no model file" in problems()
    write_tiny_onnx(version / "model.onnx", ANIMALS, batch=4)
    assert "fixed first axis [4, 6, 6, 3]: no batches" in problems()
    (folder / "config.pbtxt").unlink()
    assert problems() == "There is no config.pbtxt."
    (folder / "config.pbtxt").write_bytes(b"\xff")
    assert "not UTF-8" in problems()


def test_every_problem_of_every_model_is_told_at_once(served: Path, capsys) -> None:
    config = served / "animals" / "config.pbtxt"
    config.write_text(config.read_text().replace('"FP32"', '"FP8"').replace("count: 1", "count: 0"))
    (served / "empty").mkdir()
    assert main(["triton-check", str(served)]) == 2
    error = capsys.readouterr().err
    for reason in ("animals: An instance_group", "animals: precision_mode", "empty: There is no"):
        assert error.count(reason) == 1
    assert len(re.findall(r"^Error: ", error, re.MULTILINE)) == 1


def test_what_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model repository at"):
        check_repository(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="has no model folder"):
        check_repository(tmp_path)
