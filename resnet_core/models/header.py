"""What a model file says of itself, read without its weights. No torch: the app reads it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from resnet_core.errors import ModelError, briefly
from resnet_core.models.config import ModelConfig
from resnet_core.pictures import WHOLE_SQUARE

FORMAT = "resnet-lab-model-1"
HASH = "tensors_sha256"  # in files written since it came; older ones open without
NORMALISATION = ("mean", "inverse_std")


@dataclass(frozen=True)
class ModelHeader:
    """The description that every model file carries."""

    config: ModelConfig
    class_names: tuple[str, ...]
    mean_shape: tuple[int, ...]
    """(3,) where each channel has its mean, (H, W, 3) where each pixel has."""
    crop_share: float
    """Of a picture's shorter side, what it sees: `to_input`."""
    tensors_sha256: str
    """Of all tensors; empty where the file is older than the hash."""


def read_header(path: Path) -> ModelHeader:
    """Read a model file's description.

    Raises:
        ModelError: no readable file, or not a model of ours.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata, names = file.metadata() or {}, set(file.keys())
            mean_shape = tuple(file.get_slice("mean").get_shape()) if "mean" in names else ()
    except FileNotFoundError:
        raise ModelError(f"There is no model file at {path}: check the path.") from None
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is not a readable safetensors file ({briefly(error)}).") from None
    if metadata.get("format") != FORMAT:
        raise ModelError(
            f"{path} was not saved by ResNet Lab: it has no description of its network."
        )
    if missing := set(NORMALISATION) - names:
        raise ModelError(f"{path} lacks its normalisation ({', '.join(sorted(missing))}).")
    return _described(path, metadata, mean_shape)


def _described(path: Path, metadata: dict[str, str], mean_shape: tuple[int, ...]) -> ModelHeader:
    try:
        config = ModelConfig.from_dict(json.loads(metadata["config"]))
        names = json.loads(metadata["class_names"])
        if not isinstance(names, list) or len(names) != config.classes:
            raise ValueError(f"there is not a name for each of {config.classes} classes")
        crop_share = float(metadata.get("crop_share", WHOLE_SQUARE))
        if not 0 < crop_share <= 1:
            raise ValueError(f"its crop_share is {crop_share}")
    except (LookupError, ValueError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path} describes its net wrongly ({briefly(error)}): it is damaged."
        ) from None
    return ModelHeader(
        config, tuple(map(str, names)), mean_shape, crop_share, metadata.get(HASH, "")
    )
