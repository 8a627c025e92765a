"""Which CIFAR net a file holds, told from the names and shapes of its tensors alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from torch import Tensor

from resnet_core.errors import ModelError
from resnet_core.models.config import FAMILIES, ModelConfig
from resnet_core.models.network import STEM_CHANNELS

CIFAR_SIZE = 32
STAGES = ("1", "2", "3")
PROJECTION = r"stage\d\.\d+\.shortcut\..+"
STRIDES = ("1x1", "3x3")


@dataclass(frozen=True)
class Named:
    """A file's tensors by this kit's names, and by these the names they had."""

    file: str
    tensors: dict[str, Tensor]
    origin: dict[str, str]

    def shape(self, key: str) -> tuple[int, ...]:
        """A tensor's shape; empty where there is none of that name."""
        return tuple(self.tensors[key].shape) if key in self.tensors else ()

    def has(self, pattern: str) -> bool:
        return any(re.fullmatch(pattern, key) for key in self.tensors)

    def renamed(self, changes: dict[str, str]) -> Named:
        """The same tensors, some names' beginnings replaced."""

        def change(key: str) -> str:
            return next((b + key[len(a) :] for a, b in changes.items() if key.startswith(a)), key)

        return Named(
            self.file,
            {change(key): tensor for key, tensor in self.tensors.items()},
            {change(key): origin for key, origin in self.origin.items()},
        )


@dataclass(frozen=True)
class Reading:
    """The net that the names and shapes tell of, and what they leave open."""

    named: Named
    configs: tuple[ModelConfig, ...]
    """Nets with these very names and shapes, the likeliest first."""
    assumed: tuple[str, ...] = ()
    """What the names and shapes can't show, in sentences."""
    choice: str = ""
    """Why the first of several nets is taken where nobody chooses, in a sentence."""
    asks_stride: bool = False
    """Whether a person must say which convolution of a bottleneck strides."""
    asks_family: bool = False
    """Whether a person must say the family, for parts of another net would look the same."""


def read_cifar_net(
    named: Named, image_size: int | None, is_own: bool = False, projects_raw: bool = False
) -> Reading:
    """Tell family, depth, shortcut and classes.

    Args:
        named: names and shapes; they need not be complete, which is checked later.
        image_size: height and width of the input in pixels, which no weight depends on; None for
            CIFAR's.
        is_own: it is this kit's naming, so that what its nets look like is known.
        projects_raw: pre-activation nets of this naming project a block's raw input.

    Raises:
        ModelError: it is a net of another kind, with what it looks like.
    """
    blocks = _count_blocks(named)
    _check_width(named)
    classes = _count_classes(named)
    if named.has(r"stage\d\.\d+\.conv3\.weight"):
        _refuse_other_bottlenecks(named, projects_raw)
        if not is_own:
            named = _settle_v2(named)
        family = "resnet_v2"
    else:
        _refuse_pre_activated_basic(named)
        family = "highway" if named.has(r"stage\d\.\d+\.gate\.weight") else "resnet_v1"
        if _shortcut(named, is_own) == "tutorial" and not named.has(PROJECTION):
            family = "plain"
    depth = FAMILIES[family].layers_per_n * blocks + 2
    size = CIFAR_SIZE if image_size is None else image_size
    config = ModelConfig(family, depth, _shortcut(named, is_own), classes, size)
    if family == "resnet_v2" and not is_own:
        said = "a block's projection takes the activated input, as in He et al. 2016"
        return Reading(named, (config,), (said,) * (config.shortcut == "B"), asks_stride=True)
    if family == "resnet_v1" and config.shortcut == "A":
        said = (
            "it has skips that pad with zeros as its naming's nets do (option A); a plain net's "
            "names and shapes are the same"
        )
        return Reading(named, (config, replace(config, family="plain")), choice=said)
    return Reading(named, (config,))


def _count_blocks(named: Named) -> int:
    """n, the same in each of three stages."""
    blocks: dict[str, set[str]] = {}
    for key in named.tensors:
        if match := re.match(r"stage(\d)\.(\d+)\.", key):
            blocks.setdefault(match[1], set()).add(match[2])
    lengths = [len(blocks[stage]) for stage in sorted(blocks)]
    if tuple(sorted(blocks)) != STAGES or len(set(lengths)) != 1:
        stem = named.shape("stem.0.weight")
        width = f" from {stem[0]} channels" if stem else ""
        raise ModelError(
            f"{named.file} has {len(blocks)} stages{width}, of {', '.join(map(str, lengths)) or 'no'} "
            f"blocks: the CIFAR nets here have 3 of equal length from {STEM_CHANNELS} channels, so "
            "it is another net, or parts of it are missing."
        )
    return lengths[0]


def _check_width(named: Named) -> None:
    stem = named.shape("stem.0.weight")
    if stem and stem[:2] != (STEM_CHANNELS, 3):
        raise ModelError(
            f"{named.file} begins with {stem[0]} channels from {'x'.join(map(str, stem[1:]))}: the "
            f"CIFAR nets here begin with {STEM_CHANNELS} from RGB, so it is a wider or another net."
        )


def _count_classes(named: Named) -> int:
    shape = named.shape("classifier.weight")
    if len(shape) != 2:
        raise ModelError(
            f"{named.file} has no last layer (fc, linear or classifier): it is the trunk of a net, "
            "or a part is missing. Ask for the whole state_dict()."
        )
    return shape[0]


def _shortcut(named: Named, is_own: bool) -> str:
    if is_own and named.has(r"stage\d\.\d+\.conv1\.bias"):
        return "tutorial"
    return "B" if named.has(PROJECTION) else "A"


def _refuse_other_bottlenecks(named: Named, projects_raw: bool) -> None:
    """A norm before its convolution is as wide as the block's input: that tells v2 from v1."""
    convolution, norm = named.shape("stage2.0.conv1.weight"), named.shape("stage2.0.bn1.weight")
    if convolution and norm and norm[0] != convolution[1]:
        raise ModelError(
            f"{named.file} holds bottlenecks that activate after their sum (v1): the CIFAR "
            "bottlenecks here are those of ResNet v2, which activate before."
        )
    if projects_raw and named.has(PROJECTION):
        raise ModelError(
            f"{named.file} holds pre-activation bottlenecks with 'downsample', which in such ports "
            "projects a block's raw input: the nets here project the activated one (He et al. "
            "2016), and would score like a guess with these weights."
        )


def _refuse_pre_activated_basic(named: Named) -> None:
    convolution, norm = named.shape("stage2.0.conv1.weight"), named.shape("stage2.0.bn1.weight")
    if convolution and norm and norm[0] != convolution[0]:
        raise ModelError(
            f"{named.file} holds pre-activation blocks of two convolutions: ResNet v2 here is built "
            "of bottlenecks of three, and v1 activates afterwards."
        )


def _settle_v2(named: Named) -> Named:
    """What v2 ports name otherwise than v1 ports: the last norm, and projections without a norm."""
    changes = {
        key.removesuffix("weight"): key.removesuffix("0.weight")
        for key in named.tensors
        if key.endswith(".shortcut.0.weight")
    }
    stem_norm = named.shape("stem.1.weight")
    if stem_norm and stem_norm != (STEM_CHANNELS,):
        changes["stem.1."] = "pre_logits.0."
    return named.renamed(changes)
