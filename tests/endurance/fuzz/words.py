"""What people type: command lines, normalisations, class names, a served model's configuration."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from tests.endurance.fuzz.target import Prepared, Target

COMMANDS = (
    "0 train --model resnet20_v1 --data shapes --epochs 2 --lr 0.1 --batch-size 64 --seed 3",
    "0 train --model highway20 --data shapes --gate-bias -3 --label-smoothing 0.1 --minutes 2",
    "0 train --model resnet50 --data shapes --recipe paper --drop-points 0.5,0.7 --device cpu",
    "0 estimate --model plain56 --data shapes --threads 2 --checkpoint-seconds 3 --shortcut B",
    "0 runs move RUN --to 1", "0 images pets --image-size 32 --test-share 0.2",
    "0 import x.pth --normalisation 0.5,0.5,0.5/0.2,0.2,0.2 --stride-in 1x1 --image-size 32",
    "0 evaluate resnet20_v1 --split test --precision bf16",
    "1 classify a.jpg --model resnet20_v1 --top-k 3 --engine openvino-cpu:bf16 --json",
    "1 onnx RUN --precision int8", "1 triton resnet20_v1 --out x --max-batch-size 8",
    "2 depth --families plain,resnet_v1 --depths 20,56 --seeds 3 --at-once 2 --recipe fast",
    "2 throughput --models resnet20_v1 --batch-sizes 1,32 --seconds 2 --json",
    "2 why surgery resnet20_v1 --off 3,4 --swap 5-6", "2 load --model resnet20_v1",
)  # fmt: skip


def _parsers() -> list:
    import argparse

    import benchmarks.commands
    import export.commands
    import resnet_core.commands

    parsers = []
    for module in (resnet_core.commands, export.commands, benchmarks.commands):
        parser = argparse.ArgumentParser()
        module.add_commands(parser.add_subparsers(required=True))
        parsers.append(parser)
    return parsers


def _prepare_commands(_: Path) -> Prepared:
    """A digit for the program, then its words; what is trained is made a config of, never begun."""
    from resnet_core.config_options import config_of

    parsers = _parsers()

    def read(data: bytes) -> None:
        program, *words = data.decode("utf-8", "surrogateescape").split(" ")
        parser = parsers[ord(program[0]) % 3] if program else parsers[0]
        try:
            with (
                contextlib.redirect_stderr(io.StringIO()),
                contextlib.redirect_stdout(io.StringIO()),
            ):
                options = parser.parse_args(words)
        except SystemExit as ended:
            assert ended.code in (0, 2)
            return
        if parser is parsers[0] and words[0] in ("train", "estimate"):
            options.data = "shapes"  # a path would be read
            config = config_of(options)
            config.from_dict(config.to_dict())

    return Prepared([line.encode() for line in COMMANDS], read)


def _prepare_normalisations(_: Path) -> Prepared:
    from resnet_core.doctor.normalisation import normalisation_named

    def read(data: bytes) -> None:
        found = normalisation_named(data.decode("utf-8", "replace"), None)
        assert found.mean.isfinite().all() and (found.std > 0).all()

    return Prepared([b"imagenet", b"0.5,0.5,0.5/0.25,0.25,0.25"], read)


def _prepare_class_names(folder: Path) -> Prepared:
    from resnet_core.doctor.answers import _read_names

    file = folder / "names.txt"

    def read(data: bytes) -> None:
        file.write_bytes(data)
        assert len(set(_read_names(file, 3))) == 3

    return Prepared([b"cat\ndog\nowl\n", b'["cat", "dog", "owl"]'], read)


def _prepare_triton(folder: Path) -> Prepared:
    from export.triton.check import check_model
    from tests.export.tiny_onnx import write_tiny_onnx

    model = folder / "net"
    (model / "1").mkdir(parents=True)
    write_tiny_onnx(model / "1" / "model.onnx", ["a", "b"], 2)
    (model / "labels.txt").write_text("a\nb\n")
    tensor = 'name: "{}"\n  data_type: TYPE_{}\n  dims: [ {} ]'
    seed = "\n".join([
        'name: "net"', 'backend: "onnxruntime"', "max_batch_size: 8",
        "input {\n  " + tensor.format("image", "UINT8", "2, 2, 3") + "\n}",
        "output {\n  " + tensor.format("logits", "FP32", "2") + "\n}",
        "output {\n  " + tensor.format("probabilities", "FP32", "2")
        + '\n  label_filename: "labels.txt"\n}',
        "dynamic_batching { preferred_batch_size: [ 4, 8 ] }",
        "instance_group { count: 1 kind: KIND_CPU }",
    ])  # fmt: skip

    def read(data: bytes) -> None:
        (model / "config.pbtxt").write_bytes(data)
        assert all(isinstance(problem, str) for problem in check_model(model))

    return Prepared([seed.encode()], read)


TARGETS = (
    Target("commands", "words of every command line", _prepare_commands, 15, 300),
    Target("normalisations", "normalisations as typed", _prepare_normalisations, 40, 100),
    Target("class_names", "files of class names", _prepare_class_names, 40, 300),
    Target("triton", "a served model's configuration", _prepare_triton, 6),
)
