"""Nets for photos, told from torchvision's names: recognised, so that the refusal can say what it is."""

from __future__ import annotations

import re

from resnet_core.doctor.reading import Named, Reading
from resnet_core.errors import ModelError

# Blocks in the four stages and whether they are bottlenecks (arXiv 1512.03385 Table 1).
DEPTHS: dict[tuple[tuple[int, ...], bool], int] = {
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}
STEM = (64, 3, 7, 7)


def read_photo_net(named: Named, _image_size: int | None) -> Reading:
    """Say which net it is.

    Raises:
        ModelError: always, for no net here takes such weights yet.
    """
    raise ModelError(
        f"{named.file} is {_describe(named)}: such nets are not supported yet, only the CIFAR nets "
        "of three stages that `python -m resnet_core models` lists."
    )


def _describe(named: Named) -> str:
    blocks: dict[str, set[str]] = {}
    for key in named.tensors:
        if match := re.match(r"layer(\d)\.(\d+)\.", key):
            blocks.setdefault(match[1], set()).add(match[2])
    lengths = tuple(len(blocks[stage]) for stage in sorted(blocks))
    is_bottleneck = named.has(r"layer1\.0\.conv3\.weight")
    depth = DEPTHS.get((lengths, is_bottleneck))
    stem = named.shape("conv1.weight")
    if depth is None or stem[:2] != STEM[:2]:
        return f"a net of torchvision's naming with {', '.join(map(str, lengths))} blocks"
    if stem != STEM:
        return f"a ResNet-{depth} with a {stem[2]}x{stem[3]} stem, for small pictures"
    return f"torchvision's {_kind(named, is_bottleneck)}-{depth}, a net for 224-pixel photos"


def _kind(named: Named, is_bottleneck: bool) -> str:
    """ResNet, ResNeXt or Wide ResNet, by the 3x3 convolution of the first bottleneck."""
    shape = named.shape("layer1.0.conv2.weight")
    if not is_bottleneck or not shape or shape[:2] == (64, 64):
        return "ResNet"
    return "ResNeXt" if shape[1] != shape[0] else "Wide ResNet"
