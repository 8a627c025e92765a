"""A checkpoint file of unknown origin, read without running anything of it.

The format is told by the first bytes, never by the name. Every limit is checked on what is
claimed before it is believed.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load

from resnet_core.doctor.archive import repack
from resnet_core.doctor.pickles import MAX_PICKLE_BYTES, check_pickle
from resnet_core.errors import ModelError, briefly

# ResNet-152 with the state of its optimiser takes 0.7 GB.
MAX_FILE_BYTES = 2**30
ZIP = b"PK\x03\x04"
# PyTorch before 1.6 wrote five pickles in a row, then the tensors' bytes; the first is a number.
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
LEGACY_PICKLES = 5
NO_WEIGHTS = {
    b"<": "looks like a web page: the download went wrong, fetch the file itself",
    b"version https://git-lfs": "is a pointer of Git LFS: fetch the file that it stands for",
    b"\x1f\x8b": "is a gzip archive: unpack it first",
}


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds: nested dicts and lists of tensors, numbers and words."""

    name: str
    """The file's name; its path is nobody's business."""
    content: Any
    metadata: dict[str, str]
    """Only safetensors files have some."""
    sha256: str


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a `.pth`, `.pt`, `.th` or `.safetensors` file onto the CPU.

    Raises:
        ModelError: it is missing, too large, damaged, of another kind, or holds more than tensors.
    """
    data, name = _read_bytes(path), path.name
    metadata: dict[str, str] = {}
    if data.startswith(ZIP):
        content = _load_torch(repack(data, name), name)
    elif data.startswith(LEGACY):
        content = _load_legacy(data, name)
    elif data[8:9] == b"{":
        content, metadata = _load_safetensors(data, name)
    else:
        raise ModelError(_not_weights(data, name))
    return Checkpoint(name, content, metadata, hashlib.sha256(data).hexdigest())


def _read_bytes(path: Path) -> bytes:
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise ModelError(f"{path} {what}: give a .pth, .pt, .th or .safetensors file.")
    try:
        with open(path, "rb") as file:
            # A read asks for all its room at once: for no more than the file has.
            data = file.read(min(path.stat().st_size, MAX_FILE_BYTES) + 1)
    except OSError as error:
        raise ModelError(f"{path} can't be read ({error.strerror}).") from None
    if len(data) > MAX_FILE_BYTES:
        raise ModelError(
            f"{path.name} has more than {MAX_FILE_BYTES / 2**30:g} GB: save the net's state_dict() "
            "alone, without optimiser."
        )
    return data


def _not_weights(data: bytes, name: str) -> str:
    for start, what in NO_WEIGHTS.items():
        if data[:100].lstrip().startswith(start):
            return f"{name} {what}."
    if data[:1] == b"\x80":
        check_pickle(io.BytesIO(data[:MAX_PICKLE_BYTES]), len(data), name)
        return f"{name} is a pickle that torch.save did not write: save the net's state_dict() with it."
    what = "is empty" if not data else "is neither a file of torch.save nor a safetensors file"
    return f"{name} {what}: it is damaged, or of another kind."


def _load_legacy(data: bytes, name: str) -> Any:
    head = io.BytesIO(data[: 2 * MAX_PICKLE_BYTES])
    for _ in range(LEGACY_PICKLES):
        check_pickle(head, len(data), name)
    return _load_torch(io.BytesIO(data), name)


def _load_torch(stream: io.BytesIO, name: str) -> Any:
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged bytes make a reader raise whatever its lines can raise
        raise ModelError(_damaged(name, error)) from None


def _load_safetensors(data: bytes, name: str) -> tuple[Any, dict[str, str]]:
    try:
        tensors = load(data)  # which has checked the header against the file's length
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        return tensors, dict(header.get("__metadata__", {}))
    except Exception as error:  # as above
        raise ModelError(_damaged(name, error)) from None


def _damaged(name: str, error: Exception) -> str:
    reason = briefly(error) or type(error).__name__
    return f"{name} is damaged or cut short ({reason}): fetch or save it again."
