"""One builder for all nets for photos: stem, four stages, pooled classifier (arXiv 1512.03385 §3.3)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn

from resnet_core.models.blocks import PlainBlock, Style
from resnet_core.models.config import ModelConfig
from resnet_core.models.initialise import initialise
from resnet_core.models.parts import Part
from resnet_core.models.photo_blocks import PhotoBlock, PhotoBottleneck
from resnet_core.models.photo_families import BLOCKS, PHOTO_FAMILIES, PhotoFamily

STEM_CHANNELS = 64
CHANNELS = (64, 128, 256, 512)
MakeBlock = Callable[[int, int, int], nn.Module]
"""Builds a block from channels in, channels of its 3x3 convolution, and stride."""


class PhotoNetwork(nn.Module):
    """A net for photos: normalised (N, 3, H, W) floats in, (N, classes) logits out.

    Parameters have torchvision's names, so its state dicts load strictly: the stem is `conv1` and
    `bn1`, the stages are `layer1` to `layer4`, the classifier is `fc`.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        style = Style(config.shortcut)
        family = PHOTO_FAMILIES[config.family]
        make_block, expansion = _choose_block(style, family, config.depth)
        self.conv1 = style.conv(3, STEM_CHANNELS, 7, 2)
        self.bn1 = style.norm(STEM_CHANNELS)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        widths = (STEM_CHANNELS, *(expansion * channels for channels in CHANNELS))
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _make_stage(make_block, stage, widths, count)
            for stage, count in enumerate(BLOCKS[config.depth])
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(widths[-1], config.classes)
        initialise(self, config)

    @property
    def parts(self) -> tuple[Part, ...]:
        """In order; `layer1` to `layer4` are called stages, and pooling belongs to the last."""
        return (
            Part("stem", (self.conv1, self.bn1, self.relu, self.maxpool)),
            Part("stage1", (self.layer1,)),
            Part("stage2", (self.layer2,)),
            Part("stage3", (self.layer3,)),
            Part("stage4", (self.layer4, self.avgpool, self.flatten)),
            Part("head", (self.fc,)),
        )

    def features(self, x: Tensor) -> Tensor:
        """What the classifier averages: (N, 512 or 2048, H / 32, W / 32)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.flatten(self.avgpool(self.features(x))))


def _make_stage(
    make_block: MakeBlock, stage: int, widths: tuple[int, ...], count: int
) -> nn.Sequential:
    """`count` blocks, the first of which halves the picture's sides in all stages but the first.

    Args:
        widths: channels that go into each stage, then those that leave the last.
    """
    channels = CHANNELS[stage]
    first = make_block(widths[stage], channels, 2 if stage else 1)
    rest = [make_block(widths[stage + 1], channels, 1) for _ in range(count - 1)]
    return nn.Sequential(first, *rest)


def _choose_block(style: Style, family: PhotoFamily, depth: int) -> tuple[MakeBlock, int]:
    """What builds a block of this net, and how much wider than its 3x3 convolution it ends."""
    if not family.is_bottleneck(depth):
        block = PhotoBlock if family.has_skips else PlainBlock
        return partial(block, style), block.expansion
    bottleneck = partial(
        PhotoBottleneck,
        style,
        groups=family.groups,
        group_width=family.group_width,
        strides_first=family.strides_first,
    )
    return bottleneck, PhotoBottleneck.expansion
