"""Models on disk: safetensors whose metadata hold the config, so weights rebuild their own net."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import load_file, save_file

from resnet_core.errors import ModelError
from resnet_core.files import replace_file
from resnet_core.models.header import FORMAT, read_header
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
    replace_file(path, lambda temporary: save_file(tensors, temporary, metadata))


def load_model(path: Path) -> SavedModel:
    """Rebuild a model from its file, in evaluation mode on the CPU.

    Raises:
        ModelError: not a file of ours, or its tensors are not exactly those of its network
            (a partial load would score like a guess and look like a result).
    """
    header = read_header(path)
    config, tensors = header.config, load_file(path)
    model = PixelModel(config, tensors["mean"], 1.0 / tensors["inverse_std"])
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise ModelError(f"The weights in {path} do not fit {config.name}: {error}") from None
    return SavedModel(model.eval(), header.class_names, header.crop_share)
