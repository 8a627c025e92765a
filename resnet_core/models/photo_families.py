"""The nets for photos as a table: torchvision's ResNets, the paper's own, and nets without skips.

A name is torchvision's wherever torchvision has the net. What differs from it is said by a
suffix: `resnet50_paper` strides on the first 1x1 convolution of a block (arXiv 1512.03385)
instead of the 3x3 ("v1.5"), and `plain34_photo` is ResNet-34 without its skips. No name can be
read as a CIFAR net's: `resnet50_v1` is one, of 6n+2 layers, and so is every plain `plain{6n+2}`.
No torch here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Blocks in each of the four stages: arXiv 1512.03385 Table 1.
BLOCKS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
LEAST_BOTTLENECK_DEPTH = 50
# What a photo net is where nothing else is said: ImageNet's classes, the usual crop.
PHOTO_DEFAULTS: dict[str, Any] = {"shortcut": "B", "classes": 1000, "input_size": 224}


@dataclass(frozen=True)
class PhotoFamily:
    """A kind of net for photos; with a depth it is one row of the table of variants."""

    key: str
    title: str
    pattern: str
    paper: str
    example_depths: tuple[int, ...]
    """All its depths: others were never published."""
    has_skips: bool = True
    groups: int = 1
    """Groups of a bottleneck's 3x3 convolution (arXiv 1611.05431 §3, its cardinality)."""
    group_width: int = 64
    """Channels of one such group in the first stage; doubled from stage to stage."""
    strides_first: bool = False
    """A bottleneck strides on its first 1x1 convolution instead of its 3x3."""

    def name(self, depth: int) -> str:
        return self.pattern.format(depth=depth)

    def is_valid_depth(self, depth: int) -> bool:
        return depth in self.example_depths

    def describe_depths(self, depth: int) -> str:
        """Which depths there are instead of this one."""
        return f"depths are {', '.join(map(str, self.example_depths))}"

    def is_bottleneck(self, depth: int) -> bool:
        return depth >= LEAST_BOTTLENECK_DEPTH


PHOTO_FAMILIES: dict[str, PhotoFamily] = {
    family.key: family
    for family in (
        PhotoFamily(
            "photo_resnet", "ResNet", "resnet{depth}",
            "arXiv 1512.03385 Table 1, stride on the 3x3 as torchvision", tuple(BLOCKS),
        ),
        PhotoFamily(
            "photo_resnet_paper", "Paper's ResNet", "resnet{depth}_paper",
            "arXiv 1512.03385 Table 1, stride on the first 1x1", (50, 101, 152), strides_first=True,
        ),
        PhotoFamily(
            "photo_plain", "Plain photo", "plain{depth}_photo",
            "arXiv 1512.03385 §3.3, Fig. 3", (18, 34), has_skips=False,
        ),
        PhotoFamily(
            "photo_wide_resnet", "Wide ResNet", "wide_resnet{depth}_2",
            "arXiv 1605.07146, as torchvision", (50, 101), group_width=128,
        ),
        PhotoFamily(
            "photo_resnext_32x4d", "ResNeXt 32x4d", "resnext{depth}_32x4d",
            "arXiv 1611.05431 Table 1", (50,), groups=32, group_width=4,
        ),
        PhotoFamily(
            "photo_resnext_32x8d", "ResNeXt 32x8d", "resnext{depth}_32x8d",
            "arXiv 1611.05431, as torchvision", (101,), groups=32, group_width=8,
        ),
        PhotoFamily(
            "photo_resnext_64x4d", "ResNeXt 64x4d", "resnext{depth}_64x4d",
            "arXiv 1611.05431, as torchvision", (101,), groups=64, group_width=4,
        ),
    )
}  # fmt: skip


def photo_nets() -> dict[str, tuple[PhotoFamily, int]]:
    """Every net for photos by name, in the table's order: its family and depth."""
    return {
        family.name(depth): (family, depth)
        for family in PHOTO_FAMILIES.values()
        for depth in family.example_depths
    }
