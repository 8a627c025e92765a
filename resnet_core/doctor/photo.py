"""Which net for photos a file holds, told from torchvision's names and the shapes of its tensors.

timm names its resnet18 to resnet152, wide_resnet*_2 and resnext* alike. What timm builds otherwise
(deep stems, attention, other depths) is refused, for a part of it would fit and score like a guess.
"""

from __future__ import annotations

import re

from resnet_core.doctor.reading import Named, Reading
from resnet_core.errors import ModelError
from resnet_core.models.config import ModelConfig
from resnet_core.models.photo_families import (
    BLOCKS,
    PHOTO_DEFAULTS,
    PHOTO_FAMILIES,
    PhotoFamily,
    photo_nets,
)

STEM = (64, 3, 7, 7)
DOWNSAMPLE = r"layer\d\.\d+\.downsample\.\d\.weight"
DEEP_STEM = r"conv1\.\d+\.\w+"
STRIDE = "its bottlenecks stride in the 3x3 convolution as torchvision's and timm's do"
OTHER_STRIDE = (
    f"{STRIDE}; where the first 1x1 strides, as in He et al. 2015, names and shapes are the same: "
    "say --stride-in 1x1"
)
NO_BLUR = (
    "it strides without blurring; timm's resnetblur and resnetaa blur, by the same names and shapes"
)


def read_photo_net(named: Named, image_size: int | None) -> Reading:
    """Tell family, depth and classes.

    Args:
        named: names and shapes by torchvision's names; they need not be complete, which is
            checked later.
        image_size: height and width of the input in pixels; None for ImageNet's 224.

    Raises:
        ModelError: it is a net of another kind, with what it looks like.
    """
    lengths = _count_blocks(named)
    is_bottleneck = named.has(r"layer1\.0\.conv3\.weight")
    _refuse_other_stems(named, lengths, is_bottleneck)
    has_skips = is_bottleneck or named.has(DOWNSAMPLE)
    groups = _groups(named) if is_bottleneck else (1, 64)
    found = [
        (family, depth)
        for family, depth in photo_nets().values()
        if BLOCKS[depth] == lengths and family.is_bottleneck(depth) == is_bottleneck
        if family.has_skips == has_skips and (family.groups, family.group_width) == groups
    ]
    if not found:
        raise ModelError(_no_such_net(named, lengths, is_bottleneck, groups))
    size = image_size or PHOTO_DEFAULTS["input_size"]
    configs = tuple(_config(family, depth, _count_classes(named), size) for family, depth in found)
    if not is_bottleneck:
        return Reading(named, configs, asks_family=not has_skips)
    assumed = (NO_BLUR,) if len(configs) > 1 else (STRIDE, NO_BLUR)
    return Reading(named, configs, assumed, OTHER_STRIDE)


def _config(family: PhotoFamily, depth: int, classes: int, size: int) -> ModelConfig:
    return ModelConfig(family.key, depth, PHOTO_DEFAULTS["shortcut"], classes, size)


def stride_of(config: ModelConfig) -> str:
    """The convolution of a bottleneck that strides, `1x1` or `3x3`; empty where a net has none."""
    family = PHOTO_FAMILIES.get(config.family)
    if family is None or not family.is_bottleneck(config.depth):
        return ""
    return "1x1" if family.strides_first else "3x3"


def _count_blocks(named: Named) -> tuple[int, ...]:
    blocks: dict[str, set[str]] = {}
    for key in named.tensors:
        if match := re.match(r"layer(\d)\.(\d+)\.", key):
            blocks.setdefault(match[1], set()).add(match[2])
    return tuple(len(blocks[stage]) for stage in sorted(blocks))


def _groups(named: Named) -> tuple[int, int]:
    """Groups of the first 3x3 convolution and channels in each; zeros where it has no such shape."""
    shape = named.shape("layer1.0.conv2.weight")
    if len(shape) != 4 or not shape[1] or shape[0] % shape[1]:
        return 0, 0
    return shape[0] // shape[1], shape[1]


def _count_classes(named: Named) -> int:
    shape = named.shape("fc.weight")
    if len(shape) != 2:
        raise ModelError(
            f"{named.file} has no last layer (fc): it is the trunk of a net for photos, or a part "
            "is missing. Ask for the whole state_dict()."
        )
    return shape[0]


def _refuse_other_stems(named: Named, lengths: tuple[int, ...], is_bottleneck: bool) -> None:
    if named.has(DEEP_STEM):
        raise ModelError(
            f"{named.file} begins with several small convolutions (a deep stem, as timm's "
            "resnet50d): the nets for photos here begin with one of 7x7."
        )
    stem = named.shape("conv1.weight")
    if stem == STEM:
        return
    depths = [d for d, b in BLOCKS.items() if b == lengths and (d >= 50) == is_bottleneck]
    what = f"a ResNet-{depths[0]}" if depths else "a net"
    seen = f"a {'x'.join(map(str, stem[2:]))} stem from {stem[1]} to {stem[0]} channels" if len(stem) == 4 else "no stem"  # fmt: skip
    raise ModelError(
        f"{named.file} is {what} with {seen}, as for small pictures or other colours: the nets for "
        "photos here begin with 7x7 from 3 to 64 channels."
    )


def _no_such_net(
    named: Named, lengths: tuple[int, ...], is_bottleneck: bool, groups: tuple[int, int]
) -> str:
    blocks = f"{', '.join(map(str, lengths))} {'bottlenecks' if is_bottleneck else 'blocks'}"
    grouped = f" in {groups[0]} groups of {groups[1]} channels" if is_bottleneck else ""
    return (
        f"{named.file} is a net of torchvision's naming with {blocks}{grouped}: the nets for photos "
        f"here are {', '.join(photo_nets())}, so it is another net, or parts of it are missing."
    )
