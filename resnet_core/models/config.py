"""What a model is, as data: family, depth, shortcut. No torch here, so the app can list names.

Depths (He et al. 2015, arXiv 1512.03385 §4.2; He et al. 2016, arXiv 1603.05027 §3):
plain, ResNet v1 and highway nets have n blocks of two 3x3 convolutions in each of three stages,
a stem and a classifier: 6n+2 layers. ResNet v2 has n bottlenecks of three: 9n+2. These are the
nets for small pictures; those for photos are a table of their own (`photo_families`).
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from resnet_core.errors import ConfigError, ModelError
from resnet_core.models.photo_families import (
    PHOTO_DEFAULTS,
    PHOTO_FAMILIES,
    PhotoFamily,
    photo_nets,
)

MOST_LAYERS = 5000  # the papers' deepest has 1202; an absurd number would build for hours
SHORTCUTS = ("A", "B", "tutorial")


@dataclass(frozen=True)
class Family:
    """A kind of CIFAR network: how it is named, how its depths go, which paper it comes from."""

    key: str
    title: str
    pattern: str
    layers_per_n: int
    paper: str
    example_depths: tuple[int, ...]

    def name(self, depth: int) -> str:
        return self.pattern.format(depth=depth)

    def is_valid_depth(self, depth: int) -> bool:
        return depth >= self.layers_per_n + 2 and (depth - 2) % self.layers_per_n == 0

    def nearest_depths(self, depth: int) -> tuple[int, int]:
        """The two valid depths closest to an invalid one, smaller first."""
        below = max(1, (depth - 2) // self.layers_per_n)
        return below * self.layers_per_n + 2, (below + 1) * self.layers_per_n + 2

    def describe_depths(self, depth: int) -> str:
        """Which depths there are instead of this one, for photos as well."""
        low, high = self.nearest_depths(depth)
        said = f"depths are {self.layers_per_n}n+2, the nearest are {low} and {high}"
        photos = [name for name, (_, layers) in photo_nets().items() if layers == depth]
        return f"{said}; for photos there is {' or '.join(photos)}" if photos else said


FAMILIES: dict[str, Family] = {
    family.key: family
    for family in (
        Family("plain", "Plain", "plain{depth}", 6, "arXiv 1512.03385 §4.2", (20, 32, 44, 56, 110)),
        Family(
            "resnet_v1", "ResNet v1", "resnet{depth}_v1", 6, "arXiv 1512.03385 §4.2",
            (20, 32, 44, 56, 110, 1202),
        ),
        Family(
            "resnet_v2", "ResNet v2", "resnet{depth}_v2", 9, "arXiv 1603.05027 §3",
            (20, 29, 56, 110, 164, 1001),
        ),
        Family(
            "highway", "Highway", "highway{depth}", 6, "arXiv 1505.00387 §2, gates as 1603.05027 §3.1",
            (20, 32, 44, 56, 110),
        ),
    )
}  # fmt: skip
# CIFAR families and those for photos, which share no key.
ALL_FAMILIES: dict[str, Family | PhotoFamily] = {**FAMILIES, **PHOTO_FAMILIES}
ONLY_CIFAR_NETS = "Only CIFAR nets can be operated on: choose one such as resnet20_v1 or plain20."


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to build a network; stored with its weights."""

    family: str
    """Kind of network: plain, resnet_v1, resnet_v2 or highway; for photos, such as photo_resnet."""
    depth: int
    """Number of layers with weights on the longest path: 6n+2, for resnet_v2 9n+2, for photos 18 to 152."""
    shortcut: str = "A"
    """Where the shape changes: A pads with zeros (usual for CIFAR nets), B projects by 1x1 convolution and batch norm (all that nets for photos do), tutorial builds the Keras example's net."""
    classes: int = 10
    """Number of classes told apart."""
    input_size: int = 32
    """Height and width of the input, in pixels."""
    gate_bias: float = -3.0
    """Highway only: the gates' first bias; negative lets the input pass at first (arXiv 1505.00387 §2.2)."""

    def __post_init__(self) -> None:
        problems = []
        family = ALL_FAMILIES.get(self.family)
        if family is None:
            problems.append(
                f"Unknown family '{self.family}': choose one of {', '.join(ALL_FAMILIES)}."
            )
        elif not family.is_valid_depth(self.depth):
            problems.append(
                f"There is no {family.title} net of depth {self.depth}: "
                f"{family.describe_depths(self.depth)}."
            )
        if self.depth > MOST_LAYERS:
            problems.append(f"Nets here have at most {MOST_LAYERS:,} layers, not {self.depth:,}.")
        if self.shortcut not in SHORTCUTS:
            problems.append(
                f"Unknown shortcut '{self.shortcut}': choose one of {', '.join(SHORTCUTS)}."
            )
        if self.shortcut == "tutorial" and self.family == "highway":
            problems.append("The Keras example has no highway nets: use shortcut A or B.")
        if self.is_photo and self.shortcut in SHORTCUTS and self.shortcut != "B":
            problems.append(
                f"Nets for photos project where the shape changes: use shortcut B, not {self.shortcut}."
            )
        if self.classes < 2:
            problems.append(f"A classifier needs at least 2 classes, not {self.classes}.")
        if not isfinite(self.gate_bias):
            problems.append(f"The gates' bias should be a number, not {self.gate_bias}.")
        if self.input_size < 8:
            problems.append(f"Pictures need at least 8x8 pixels, not {self.input_size}.")
        if problems:
            raise ConfigError(problems)

    @property
    def name(self) -> str:
        """The name a person types, such as resnet20_v1."""
        return ALL_FAMILIES[self.family].name(self.depth)

    @property
    def is_photo(self) -> bool:
        return self.family in PHOTO_FAMILIES

    @property
    def blocks_per_stage(self) -> int:
        """n of a CIFAR net."""
        return (self.depth - 2) // FAMILIES[self.family].layers_per_n

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> ModelConfig:
        """Rebuild a stored config; unknown keys mean a newer file and are refused.

        Raises:
            ModelError: the stored fields are not those of this version.
        """
        try:
            config = cls(**values)
            _check_kinds(config)
            return config
        except TypeError as error:
            raise ModelError(
                f"This model's description does not fit this version ({error}): "
                "update ResNet Lab, or export the model again."
            ) from None


def _check_kinds(config: ModelConfig) -> None:
    """A stored description may have been edited: 20.5 layers, or a list of them, build no net."""
    for name, kind in (("depth", int), ("classes", int), ("input_size", int), ("gate_bias", float)):
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, (kind, int)):
            raise TypeError(f"{name} is {value!r}")


def parse_model_name(name: str, **options: Any) -> ModelConfig:
    """Turn a name such as `resnet20_v1` or `resnet50` into its config.

    Args:
        name: `plain{6n+2}`, `resnet{6n+2}_v1`, `resnet{9n+2}_v2` or `highway{6n+2}`; for photos
            a name in the table of `photo_families`, such as `resnet50` or `plain34_photo`.
        options: other fields of `ModelConfig`, such as `shortcut="B"`. Without them a net for
            photos has ImageNet's 1000 classes and 224 pixels.

    Raises:
        ConfigError: no such kind of net, or a depth that does not exist (the two nearest are named).
    """
    if found := photo_nets().get(name):
        photo_family, depth = found
        return ModelConfig(photo_family.key, depth, **{**PHOTO_DEFAULTS, **options})
    for family in FAMILIES.values():
        pattern = family.pattern.replace("{depth}", r"(\d{1,6})")
        if match := re.fullmatch(pattern, name):
            return ModelConfig(family=family.key, depth=int(match[1]), **options)
    small, photos = (
        ", ".join(family.name(family.example_depths[0]) for family in families.values())
        for families in (FAMILIES, PHOTO_FAMILIES)
    )
    raise ConfigError(
        f"There is no model named '{name}': names look like {small} for small pictures, and like "
        f"{photos} for photos; `python -m resnet_core models` lists them."
    )
