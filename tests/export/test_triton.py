"""Triton repositories: read by Triton's own schema, run by plain ONNX Runtime, written whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format

from export.__main__ import main
from export.triton.check import check_repository
from export.triton.repository import write_model
from export.triton.schema import ENUMS, MESSAGES
from export.triton.settings import ServingSettings
from resnet_core.errors import ConfigError, LabError, ModelError
from resnet_core.files import LONGEST_WRITE_SECONDS
from resnet_core.zoo import find_in_zoo
from tests.export.tiny_onnx import ANIMALS, write_tiny_onnx

ROOT = Path(__file__).resolve().parent.parent.parent
# protobuf's own numbers of its field types
PLAIN_TYPES = {3: "int64", 4: "uint64", 5: "int32", 8: "bool", 9: "string", 13: "uint32"}


@pytest.fixture(scope="session")
def official() -> Any:
    """Triton's own schema, as its client brings it."""
    from tritonclient.grpc import model_config_pb2

    return model_config_pb2


def read_officially(folder: Path, official: Any) -> Any:
    return text_format.Parse((folder / "config.pbtxt").read_text(), official.ModelConfig())


def test_the_command_writes_what_tritons_own_schema_reads(tmp_path: Path, official, capsys) -> None:
    repository = tmp_path / "models"
    words = ["triton", "resnet20_v1", "--out", str(repository), "--instances", "2"]
    assert main([*words, "--max-batch-size", "32", "--queue-delay-us", "250"]) == 0
    assert "10 classes, batches up to 32, onnxruntime on a CPU" in capsys.readouterr().out
    folder = repository / "resnet20_v1"
    assert sorted(str(p.relative_to(repository)) for p in repository.rglob("*") if p.is_file()) == [
        "resnet20_v1/1/model.onnx", "resnet20_v1/config.pbtxt", "resnet20_v1/labels.txt",
    ]  # fmt: skip
    entry = find_in_zoo("resnet20_v1")
    assert (folder / "1" / "model.onnx").read_bytes() == entry.onnx_file.read_bytes()
    assert (folder / "labels.txt").read_text().split() == entry.card["class_names"]

    config = read_officially(folder, official)
    assert (config.name, config.backend, config.max_batch_size) == (
        "resnet20_v1", "onnxruntime", 32,
    )  # fmt: skip
    assert config.default_model_filename == "model.onnx"
    (image,) = config.input
    assert (image.name, image.data_type, list(image.dims)) == (
        "image", official.TYPE_UINT8, [32, 32, 3],
    )  # fmt: skip
    assert [(o.name, o.data_type, list(o.dims), o.label_filename) for o in config.output] == [
        ("logits", official.TYPE_FP32, [10], "labels.txt"),
        ("probabilities", official.TYPE_FP32, [10], "labels.txt"),
    ]
    assert config.WhichOneof("scheduling_choice") == "dynamic_batching"
    assert list(config.dynamic_batching.preferred_batch_size) == [8, 16, 32]
    assert config.dynamic_batching.max_queue_delay_microseconds == 250
    (group,) = config.instance_group
    assert (group.count, group.kind) == (2, official.ModelInstanceGroup.KIND_CPU)
    assert not config.HasField("optimization")
    assert main(["triton-check", str(repository)]) == 0
    assert capsys.readouterr().out == "resnet20_v1: sound\n"


@pytest.mark.parametrize("largest", [1, 2, 50])
def test_the_warm_up_runs_on_the_file_and_answers_have_the_configured_form(
    largest: int, tmp_path: Path, tiny: Path, official, rng
) -> None:
    """What a server does with the configuration, with plain ONNX Runtime in its place."""
    settings = ServingSettings(max_batch_size=largest)
    folder = write_model(tiny, "animals", tmp_path / "repo", settings)
    config = read_officially(folder, official)
    session = onnxruntime.InferenceSession(folder / "1" / config.default_model_filename)
    assert {warmup.batch_size for warmup in config.model_warmup} == {1, largest}
    preferred = list(config.dynamic_batching.preferred_batch_size)
    assert preferred == sorted(set(preferred)) and preferred[-1] == largest and preferred[0] >= 1
    for warmup in config.model_warmup:
        feed = {}
        for name, value in warmup.inputs.items():
            assert value.WhichOneof("input_data_type") == "random_data"
            assert value.data_type == official.TYPE_UINT8
            feed[name] = rng.integers(0, 256, (warmup.batch_size, *value.dims), dtype=np.uint8)
        answers = session.run([output.name for output in config.output], feed)
        for output, answer in zip(config.output, answers, strict=True):
            assert answer.shape == (warmup.batch_size, *output.dims)
            assert answer.dtype == np.float32 and output.data_type == official.TYPE_FP32
            labels = (folder / output.label_filename).read_text().splitlines()
            assert labels == ANIMALS and answer.shape[-1] == len(labels)


@pytest.mark.parametrize(
    ("engine", "device", "kind", "accelerators"),
    [
        ("onnxruntime", None, "KIND_CPU", {}),
        ("onnxruntime", "gpu", "KIND_GPU", {}),
        ("tensorrt", None, "KIND_GPU", {"gpu": ("tensorrt", {"precision_mode": "FP32"})}),
        ("openvino", "cpu", "KIND_CPU", {"cpu": ("openvino", {})}),
    ],
)
def test_each_engine_gets_its_instances_and_accelerator(
    engine: str, device: str | None, kind: str, accelerators: dict, tmp_path, tiny, official
) -> None:
    settings = ServingSettings(engine=engine, device=device)
    config = read_officially(write_model(tiny, "animals", tmp_path / "repo", settings), official)
    (group,) = config.instance_group
    assert official.ModelInstanceGroup.Kind.Name(group.kind) == kind
    chosen = config.optimization.execution_accelerators
    found = {
        where: (accelerator.name, dict(accelerator.parameters))
        for where in ("gpu", "cpu")
        for accelerator in getattr(chosen, f"{where}_execution_accelerator")
    }
    assert found == accelerators


@pytest.mark.parametrize("precision", ["FP32", "FP16", "INT8"])
def test_tensorrt_computes_in_what_the_file_was_made_for(
    precision: str, tmp_path: Path, official
) -> None:
    file = write_tiny_onnx(tmp_path / "m.onnx", ANIMALS, precision=precision)
    settings = ServingSettings(engine="tensorrt")
    config = read_officially(write_model(file, "animals", tmp_path / "repo", settings), official)
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.parameters["precision_mode"] == precision


def test_sizes_and_classes_come_from_the_file(tmp_path: Path, official) -> None:
    names = ["größte Möwe", 'a "quoted" one', "back\\slash"]
    file = write_tiny_onnx(tmp_path / "birds.onnx", names, size=11)
    assert main(["triton", str(file), "--out", str(tmp_path / "repo")]) == 0
    folder = tmp_path / "repo" / "tiny"  # the name in the file's metadata
    config = read_officially(folder, official)
    assert list(config.input[0].dims) == [11, 11, 3]
    assert [list(output.dims) for output in config.output] == [[3], [3]]
    assert (folder / "labels.txt").read_text(encoding="utf-8").splitlines() == names


def test_our_table_of_fields_agrees_with_tritons(official) -> None:
    seen: set[str] = set()

    def compare(ours: str, theirs: Any) -> None:
        seen.add(ours)
        for name, kind in MESSAGES[ours].items():
            field = theirs.fields_by_name[name]
            assert kind.endswith("*") == field.is_repeated, name
            plain = kind.rstrip("*")
            if field.message_type is not None:
                compare(plain, field.message_type)
            elif field.enum_type is not None:
                seen.add(plain)
                assert set(ENUMS[plain]) == {value.name for value in field.enum_type.values}
            else:
                assert plain == PLAIN_TYPES[field.type], name

    compare("ModelConfig", official.ModelConfig.DESCRIPTOR)
    assert seen == MESSAGES.keys() | ENUMS.keys()


def test_a_model_is_only_replaced_when_told_to(served: Path, tmp_path: Path, capsys) -> None:
    other = write_tiny_onnx(tmp_path / "other.onnx", ["day", "night"])
    words = ["triton", str(other), "--out", str(served), "--name", "animals"]
    before = (served / "animals" / "1" / "model.onnx").read_bytes()
    assert main(words) == 2
    assert "exists already: replace it with --force" in capsys.readouterr().err
    assert (served / "animals" / "1" / "model.onnx").read_bytes() == before
    assert main([*words, "--force"]) == 0
    assert (served / "animals" / "1" / "model.onnx").read_bytes() == other.read_bytes()
    assert main([*words, "--name", "beside"]) == 0
    assert check_repository(served) == ["animals", "beside"]
    assert leftovers(served) == []


def test_what_can_not_be_served_leaves_nothing_behind(tmp_path: Path, served: Path) -> None:
    repository = tmp_path / "new"
    fixed = write_tiny_onnx(tmp_path / "fixed.onnx", ANIMALS, batch=1)
    with pytest.raises(ModelError, match=r"'image' has the shape \[1, 6, 6, 3\]"):
        write_model(fixed, "fixed", repository, ServingSettings())
    lines = write_tiny_onnx(tmp_path / "lines.onnx", ["one", "two\nlines"])
    with pytest.raises(ConfigError, match=r"labels\.txt has 3 labels"):
        write_model(lines, "lines", repository, ServingSettings())
    (tmp_path / "text.onnx").write_text("not a model")
    with pytest.raises(ModelError, match="can't be opened"):
        write_model(tmp_path / "text.onnx", "text", repository, ServingSettings())
    for name in ("../out", "a/b", "", ".hidden", "two words"):
        with pytest.raises(ConfigError, match="can't be a model's name"):
            write_model(lines, name, repository, ServingSettings())
    assert not repository.exists() and leftovers(repository) == []
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(LabError, match="can't be written"):
        write_model(tmp_path / "tiny.onnx", "tiny", tmp_path / "file", ServingSettings())


def test_a_kill_leaves_no_half_model(tmp_path: Path, tiny: Path, served: Path) -> None:
    """Killed when all is written but nothing in place: the moment with the most to lose."""
    program = (
        "import os, sys; from pathlib import Path; import export.triton.repository as r; "
        "from export.triton.settings import ServingSettings; "
        "r.check_repository = lambda folder: os._exit(9); "
        "r.write_model(Path(sys.argv[1]), 'second', Path(sys.argv[2]), ServingSettings())"
    )
    done = subprocess.run([sys.executable, "-c", program, tiny, served], cwd=ROOT)
    assert done.returncode == 9
    assert check_repository(served) == ["animals"]
    (left,) = leftovers(served)
    write_model(tiny, "third", served, ServingSettings())
    assert leftovers(served) == [left]  # it may be another's, still at work
    long_ago = left.stat().st_mtime - 2 * LONGEST_WRITE_SECONDS
    os.utime(left, (long_ago, long_ago))
    write_model(tiny, "second", served, ServingSettings())
    assert leftovers(served) == [] and check_repository(served) == ["animals", "second", "third"]


def leftovers(repository: Path) -> list[Path]:
    return list(repository.parent.glob(f".{repository.name}.*"))


def test_settings_that_make_no_sense_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        ServingSettings("warp", None, 0, 0, -1)
    assert len(caught.value.problems) == 4
    for engine, device in (("openvino", "gpu"), ("tensorrt", "cpu"), ("onnxruntime", "tpu")):
        with pytest.raises(ConfigError, match=f"{engine} does not serve on '{device}'"):
            ServingSettings(engine, device)
