"""One builder for all CIFAR families: stem, three stages, pooled classifier (arXiv 1512.03385 §4.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from resnet_core.models.blocks import (
    HighwayBlock,
    PlainBlock,
    PreActivationBottleneck,
    ResidualBlock,
    Style,
)
from resnet_core.models.config import ModelConfig
from resnet_core.models.initialise import initialise
from resnet_core.models.parts import Part
from resnet_core.models.photo_network import PhotoNetwork

STEM_CHANNELS = 16
BASIC_CHANNELS = (16, 32, 64)
BOTTLENECK_OUT_CHANNELS = (64, 128, 256)
# The Keras example widens the 3x3 convolutions of stages 2 and 3 with the block before them.
BOTTLENECK_CHANNELS = {"A": (16, 32, 64), "B": (16, 32, 64), "tutorial": (16, 64, 128)}
BASIC_BLOCKS = {"plain": PlainBlock, "resnet_v1": ResidualBlock, "highway": HighwayBlock}


class Network(nn.Module):
    """A CIFAR network: normalised (N, 3, H, W) floats in, (N, classes) logits out.

    Intermediate outputs by role: `stem`, `stage1`, `stage2`, `stage3`, `pre_logits`.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        style = Style(config.shortcut)
        is_bottleneck = config.family == "resnet_v2"
        # The Keras v2 net activates its stem; the paper leaves that to the first block.
        stem: list[nn.Module] = [style.conv(3, STEM_CHANNELS, 3)]
        if not is_bottleneck or style.is_tutorial:
            stem += [style.norm(STEM_CHANNELS), nn.ReLU(inplace=True)]
        self.stem = nn.Sequential(*stem)
        make_stage = _bottleneck_stage if is_bottleneck else _basic_stage
        self.stage1 = make_stage(config, style, 0)
        self.stage2 = make_stage(config, style, 1)
        self.stage3 = make_stage(config, style, 2)
        width = (BOTTLENECK_OUT_CHANNELS if is_bottleneck else BASIC_CHANNELS)[-1]
        last = [style.norm(width), nn.ReLU(inplace=True)] if is_bottleneck else []
        self.pre_logits = nn.Sequential(*last, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Linear(width, config.classes)
        initialise(self, config)

    @property
    def parts(self) -> tuple[Part, ...]:
        """In order; batch norm and pooling before the classifier belong to the last stage."""
        return (
            Part("stem", (self.stem,)),
            Part("stage1", (self.stage1,)),
            Part("stage2", (self.stage2,)),
            Part("stage3", (self.stage3, self.pre_logits)),
            Part("head", (self.classifier,)),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = self.stage3(self.stage2(self.stage1(x)))
        return self.classifier(self.pre_logits(x))


def _basic_stage(config: ModelConfig, style: Style, stage: int) -> nn.Sequential:
    block = BASIC_BLOCKS[config.family]
    channels = BASIC_CHANNELS[stage]
    in_channels = BASIC_CHANNELS[stage - 1] if stage else STEM_CHANNELS
    first = block(style, in_channels, channels, 2 if stage else 1)
    rest = [block(style, channels, channels, 1) for _ in range(config.blocks_per_stage - 1)]
    return nn.Sequential(first, *rest)


def _bottleneck_stage(config: ModelConfig, style: Style, stage: int) -> nn.Sequential:
    channels = BOTTLENECK_CHANNELS[config.shortcut][stage]
    out_channels = BOTTLENECK_OUT_CHANNELS[stage]
    in_channels = BOTTLENECK_OUT_CHANNELS[stage - 1] if stage else STEM_CHANNELS
    activated_by_stem = style.is_tutorial and stage == 0
    first = PreActivationBottleneck(
        style, in_channels, channels, out_channels, 2 if stage else 1, not activated_by_stem
    )
    rest = [
        PreActivationBottleneck(style, out_channels, channels, out_channels, 1)
        for _ in range(config.blocks_per_stage - 1)
    ]
    return nn.Sequential(first, *rest)


def build_network(config: ModelConfig) -> Network | PhotoNetwork:
    """The network that a config names, at a random start."""
    return PhotoNetwork(config) if config.is_photo else Network(config)


class PixelModel(nn.Module):
    """A network together with the normalisation it was trained with: raw pixels in.

    Input: uint8 RGB (N, H, W, 3). Output: float32 logits (N, classes).

    Args:
        config: the network to build.
        mean: per channel (3,) or per pixel (H, W, 3), in 0..255.
        std: the same shapes, in 0..255.
    """

    def __init__(self, config: ModelConfig, mean: Tensor, std: Tensor):
        super().__init__()
        self.network = build_network(config)
        self.register_buffer("mean", mean.to(torch.float32))
        self.register_buffer("inverse_std", 1.0 / std.to(torch.float32))
        self.mean: Tensor
        self.inverse_std: Tensor

    @property
    def config(self) -> ModelConfig:
        return self.network.config

    def normalise(self, images: Tensor) -> Tensor:
        """uint8 (N, H, W, 3) → float32 (N, 3, H, W), laid out channels-last in memory."""
        return ((images.to(torch.float32) - self.mean) * self.inverse_std).permute(0, 3, 1, 2)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(self.normalise(images))
