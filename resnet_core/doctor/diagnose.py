"""From a checkpoint file to a model, with everything that was found, assumed and asked on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from resnet_core.doctor.contents import Weights, find_weights
from resnet_core.doctor.fit import fit
from resnet_core.doctor.normalisation import Normalisation, stored_normalisation
from resnet_core.doctor.photo import stride_of
from resnet_core.doctor.read import Checkpoint, read_checkpoint
from resnet_core.doctor.reading import Reading
from resnet_core.doctor.schemes import recognise
from resnet_core.errors import ConfigError, ModelError, briefly
from resnet_core.models.config import ModelConfig
from resnet_core.models.header import FORMAT


@dataclass(frozen=True)
class Diagnosis:
    """What a file holds, complete and sound."""

    checkpoint: Checkpoint
    weights: Weights
    scheme: str
    reading: Reading
    states: tuple[tuple[ModelConfig, dict[str, Tensor]], ...]
    """Each net that the file can be, the likeliest first, with the weights by its names."""
    normalisation: Normalisation | None
    """As the file holds it; None where it does not."""
    class_names: tuple[str, ...]
    """As the file holds them; empty where it does not."""
    crop_share: float | None
    """As the file holds it; None where it does not."""

    @property
    def config(self) -> ModelConfig:
        """The likeliest net."""
        return self.states[0][0]

    @property
    def said(self) -> str:
        """What was found, in one line."""
        stripped = f", '{self.weights.prefix}' stripped" if self.weights.prefix else ""
        part = f", from its part '{self.weights.part}'" if self.weights.part else ""
        return (
            f"{self.checkpoint.name}: {self.config.name}, shortcut {self.config.shortcut}, "
            f"{self.config.classes} classes, by {self.scheme}{stripped}{part}"
        )

    def assumed(self, is_tried: bool) -> tuple[str, ...]:
        """What no name or shape shows; which of several nets it is only where no trial has told."""
        is_open = len(self.states) > 1 and not is_tried
        return (*self.reading.assumed, *filter(None, [self.reading.choice if is_open else ""]))


def diagnose(
    path: Path,
    part: str | None = None,
    family: str | None = None,
    image_size: int | None = None,
    stride_in: str | None = None,
) -> Diagnosis:
    """Read a file and tell what net it is.

    Args:
        part: the container to take, where the file has several.
        family: one of the families that the names and shapes allow, where there are more.
        image_size: height and width of the input in pixels; None for what such nets usually take.
        stride_in: the convolution of a bottleneck that strides, `1x1` or `3x3`, where names and
            shapes allow both.

    Raises:
        LabError: why the file can't be a model here.
    """
    checkpoint = read_checkpoint(path)
    weights = find_weights(checkpoint, part)
    scheme, named = recognise(weights.tensors, checkpoint.name)
    own = _own_config(checkpoint)
    reading = Reading(named, (own,)) if own else scheme.read(named, image_size)
    configs = choose(reading, family, stride_in)
    states = tuple((config, fit(reading.named, config)) for config in configs)
    normalisation = None
    if weights.own_normalisation:
        normalisation = stored_normalisation(
            *weights.own_normalisation, checkpoint.name, configs[0].input_size
        )
    names = _own_class_names(checkpoint, configs[0])
    return Diagnosis(
        checkpoint, weights, scheme.title, reading, states, normalisation, names,
        _own_crop_share(checkpoint),
    )  # fmt: skip


def choose(reading: Reading, family: str | None, stride_in: str | None) -> list[ModelConfig]:
    """Those nets that fit what was said as well.

    Raises:
        ConfigError: none does, or something must be said.
    """
    name = reading.named.file
    if reading.asks_family and family is None:
        raise ConfigError(
            f"{name} has the names of {reading.configs[0].name}, a net without skips, and of a net "
            f"that lost its downsample tensors: if it is the first, say --family {reading.configs[0].family}."
        )
    configs = [c for c in reading.configs if family in (None, c.family)]
    if not configs:
        allowed = " or ".join(config.family for config in reading.configs)
        raise ConfigError(f"{name} can't be of family {family}: it is {allowed}.")
    strides = [c for c in configs if not stride_in or stride_of(c) in ("", stride_in)]
    if not strides:
        raise ConfigError(
            f"{name} is {configs[0].name}, whose bottlenecks stride in the {stride_of(configs[0])} "
            f"convolution: there is none here that strides in the {stride_in}."
        )
    return strides


def _own_config(checkpoint: Checkpoint) -> ModelConfig | None:
    """The config that a model file of this kit carries."""
    if checkpoint.metadata.get("format") != FORMAT:
        return None
    try:
        return ModelConfig.from_dict(json.loads(checkpoint.metadata["config"]))
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"{checkpoint.name} describes no net ({briefly(error)}): it is damaged."
        ) from None


def _own_class_names(checkpoint: Checkpoint, config: ModelConfig) -> tuple[str, ...]:
    try:
        names = json.loads(checkpoint.metadata.get("class_names", "[]"))
    except ValueError:
        return ()
    is_list = isinstance(names, list) and all(isinstance(name, str) for name in names)
    return tuple(names) if is_list and len(names) == config.classes else ()


def _own_crop_share(checkpoint: Checkpoint) -> float | None:
    try:
        share = float(checkpoint.metadata["crop_share"])
    except (KeyError, ValueError):
        return None
    return share if 0 < share <= 1 else None
