"""Model files: ONNX, this kit's safetensors, checkpoints from elsewhere, and what a resume reads.

Weights are most of such a file and say nothing to a parser, so headers and pickles are what is
mutated, and the tensors' bytes are put behind them.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from tests.endurance.fuzz.target import Prepared, Target


def _prepare_onnx(folder: Path) -> Prepared:
    from export.session import OnnxSession
    from tests.export.tiny_onnx import write_tiny_onnx

    file = folder / "model.onnx"
    precisions = ("FP32", "FP16", "INT8")
    seeds = [write_tiny_onnx(file, ["a", "b"], 2, p).read_bytes() for p in precisions]

    def read(data: bytes) -> None:
        file.write_bytes(data)
        session = OnnxSession(file, "cpu", threads=1)
        size = session.facts.input_size
        assert session.inputs is not None and session.outputs is not None
        session.run(np.zeros((1, min(size, 64), min(size, 64), 3), np.uint8))

    return Prepared(seeds, read)


def header_of(path: Path) -> tuple[bytes, bytes]:
    """A safetensors file's header and the tensors' bytes behind it."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    return data[8:end], data[end:]


def with_header(header: bytes, tensors: bytes) -> bytes:
    return len(header).to_bytes(8, "little") + header + tensors


def _prepare_weights(folder: Path) -> Prepared:
    import torch

    from resnet_core.models.config import ModelConfig
    from resnet_core.models.network import PixelModel
    from resnet_core.models.saved import load_model, save_model

    file = folder / "model.safetensors"
    model = PixelModel(ModelConfig("plain", 8, classes=2), torch.zeros(3), torch.ones(3))
    save_model(file, model, ("a", "b"))
    header, tensors = header_of(file)

    def read(data: bytes) -> None:
        file.write_bytes(with_header(data, tensors))
        load_model(file)

    return Prepared([header], read)


def _prepare_state(folder: Path) -> Prepared:
    import torch

    from resnet_core.runs.checkpoint import Progress, load_checkpoint, save_checkpoint

    file = folder / "last.state"
    net, generator = torch.nn.Linear(3, 2), torch.Generator()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    save_checkpoint(file, net, [optimizer], [generator.get_state()], Progress(step=3))
    header, tensors = header_of(file)

    def read(data: bytes) -> None:
        file.write_bytes(with_header(data, tensors))
        load_checkpoint(file, net, [optimizer], generator)

    return Prepared([header], read)


def _prepare_foreign(folder: Path) -> Prepared:
    from safetensors.torch import save_file

    from resnet_core.doctor.diagnose import diagnose
    from tests.resnet_core.doctor.ports import Port

    file = folder / "port.safetensors"
    save_file(Port().state_dict(), file)
    diagnose(file)  # a whole net is fitted: what that imports late takes seconds, once
    save_file(Port(width=4).state_dict(), file)
    header, tensors = header_of(file)

    def read(data: bytes) -> None:
        file.write_bytes(with_header(data, tensors))
        diagnose(file)

    return Prepared([header], read)


def _prepare_pickled(folder: Path) -> Prepared:
    import torch

    from resnet_core.doctor.diagnose import diagnose
    from tests.resnet_core.doctor.ports import Port

    file = folder / "port.pth"
    small = dict(list(Port(width=2).state_dict().items())[:12])
    pickles, records = [], {}
    for content in (small, {"state_dict": small, "epoch": 3}, [1, small]):
        torch.save(content, file)
        with zipfile.ZipFile(file) as archive:
            for member in archive.namelist():
                records[member.split("/", 1)[1]] = archive.read(member)
        pickles.append(records.pop("data.pkl"))

    def read(data: bytes) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("port/data.pkl", data)
            for name, content in records.items():
                archive.writestr(f"port/{name}", content)
        diagnose(file)

    return Prepared(pickles, read)


def _prepare_checkpoints(folder: Path) -> Prepared:
    import torch

    from resnet_core.doctor.diagnose import diagnose

    file = folder / "some.th"
    small = {"conv1.weight": torch.ones(2, 3, 3, 3), "bn1.weight": torch.ones(2)}
    seeds = []
    for is_zip in (True, False):
        buffer = io.BytesIO()
        torch.save(small, buffer, _use_new_zipfile_serialization=is_zip)
        seeds.append(buffer.getvalue())
    seeds.append(with_header(json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode(), b"1234"))  # fmt: skip

    def read(data: bytes) -> None:
        file.write_bytes(data)
        diagnose(file)

    return Prepared(seeds, read)


TARGETS = (
    Target("onnx", "ONNX files, opened and run once", _prepare_onnx, 8),
    Target("weights", "this kit's safetensors, their headers", _prepare_weights, 2, 16_384),
    Target("states", "what a resume reads, its header", _prepare_state, 10),
    Target("foreign", "others' safetensors, their headers", _prepare_foreign, 5, 8192),
    Target("pickled", "the pickle in a PyTorch file", _prepare_pickled, 5),
    Target(
        "checkpoints", "checkpoints of three formats, all their bytes", _prepare_checkpoints, 10
    ),
)
