"""Models on disk: safetensors whose metadata hold the config, so weights rebuild their own net."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from resnet_core.errors import ModelError, briefly
from resnet_core.files import replace_file
from resnet_core.models.config import ModelConfig
from resnet_core.models.header import FORMAT, HASH, read_header
from resnet_core.models.network import PixelModel
from resnet_core.pictures import WHOLE_SQUARE


@dataclass(frozen=True)
class SavedModel:
    """A model read from disk: ready to evaluate, with the names of its classes."""

    model: PixelModel
    class_names: tuple[str, ...]
    crop_share: float = WHOLE_SQUARE
    """Of a picture's shorter side, what it sees: `to_input`."""


def save_model(
    path: Path,
    model: PixelModel,
    class_names: tuple[str, ...],
    crop_share: float = WHOLE_SQUARE,
) -> None:
    """Write weights, normalisation, config, class names and crop into one safetensors file."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "config": json.dumps(model.config.to_dict()),
        "class_names": json.dumps(class_names),
        "crop_share": json.dumps(crop_share),
    }
    write_tensors(path, tensors, metadata | {HASH: hash_tensors(tensors)})


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file in one step.

    Raises:
        OSError: the disk is full or the folder can't be written; `path` is as it was.
    """

    def write(temporary: Path) -> None:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:  # its own error, with the system's words for it
            if (full := os.strerror(errno.ENOSPC)) in str(error):
                raise OSError(errno.ENOSPC, full, str(path)) from None
            raise

    replace_file(path, write)


def hash_tensors(tensors: dict[str, Tensor]) -> str:
    """The SHA-256 of all tensors by name, shape and bytes: a flipped bit in a weight shows nowhere else."""
    total = sha256()
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        total.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def load_model(path: Path) -> SavedModel:
    """Rebuild a model from its file, in evaluation mode on the CPU.

    Raises:
        ModelError: not a file of ours, or its tensors are not exactly those of its network
            (a partial load would score like a guess and look like a result).
    """
    header = read_header(path)
    config, tensors = header.config, load_file(path)
    if header.tensors_sha256 not in ("", hash_tensors(tensors)):
        raise ModelError(
            f"The weights in {path} are not those that were saved: the file is damaged, fetch it "
            "or export it again."
        )
    _check_size(path, config, tensors)
    try:
        model = PixelModel(config, tensors["mean"], 1.0 / tensors["inverse_std"])
        model.load_state_dict(tensors, strict=True)
    except (RuntimeError, TypeError) as error:
        raise ModelError(
            f"The weights in {path} do not fit {config.name}: {briefly(error)}"
        ) from None
    return SavedModel(model.eval(), header.class_names, header.crop_share)


def _check_size(path: Path, config: ModelConfig, tensors: dict[str, Tensor]) -> None:
    """A net is built before its weights fill it: never one that the file has no weights for."""
    widest = max((t.shape[0] for t in tensors.values() if t.ndim), default=0)
    if config.depth > len(tensors) or config.classes > widest:
        raise ModelError(
            f"{path} describes a {config.name} of {config.classes} classes and holds weights for "
            "less: it is damaged."
        )
