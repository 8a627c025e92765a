"""Models on disk: safetensors whose metadata hold the config, so weights rebuild their own net."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from resnet_core.errors import ModelError
from resnet_core.files import replace_file
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import PixelModel

FORMAT = "resnet-lab-model-1"


@dataclass(frozen=True)
class SavedModel:
    """A model read from disk: ready to evaluate, with the names of its classes."""

    model: PixelModel
    class_names: tuple[str, ...]


def save_model(path: Path, model: PixelModel, class_names: tuple[str, ...]) -> None:
    """Write weights, normalisation, config and class names into one safetensors file."""
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}
    metadata = {
        "format": FORMAT,
        "config": json.dumps(model.config.to_dict()),
        "class_names": json.dumps(class_names),
    }
    replace_file(path, lambda temporary: save_file(tensors, temporary, metadata))


def load_model(path: Path) -> SavedModel:
    """Rebuild a model from its file, in evaluation mode on the CPU.

    Raises:
        ModelError: not a file of ours, or its tensors are not exactly those of its network
            (a partial load would score like a guess and look like a result).
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise ModelError(f"There is no model file at {path}: check the path.") from None
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is not a readable safetensors file ({error}).") from None
    if metadata.get("format") != FORMAT:
        raise ModelError(
            f"{path} was not saved by ResNet Lab: it has no description of its network."
        )
    config = ModelConfig.from_dict(json.loads(metadata["config"]))
    missing = {"mean", "inverse_std"} - tensors.keys()
    if missing:
        raise ModelError(f"{path} lacks its normalisation ({', '.join(sorted(missing))}).")
    model = PixelModel(config, tensors["mean"], 1.0 / tensors["inverse_std"])
    try:
        model.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise ModelError(f"The weights in {path} do not fit {config.name}: {error}") from None
    return SavedModel(model.eval(), tuple(json.loads(metadata["class_names"])))
