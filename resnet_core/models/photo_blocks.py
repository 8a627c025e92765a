"""The blocks of nets for photos. Parameters are named as torchvision names them.

Every block maps (N, in_channels, H, W) to (N, expansion * channels, H / stride, W / stride).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from resnet_core.models.blocks import PlainBlock, Style, make_shortcut


class PhotoBlock(PlainBlock):
    """relu(F(x) + shortcut(x)) with F of two 3x3 convolutions: arXiv 1512.03385 Fig. 5 left."""

    def __init__(self, style: Style, in_channels: int, channels: int, stride: int):
        super().__init__(style, in_channels, channels, stride)
        self.downsample = make_shortcut(style, in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x) + self.downsample(x), inplace=True)


class PhotoBottleneck(nn.Module):
    """relu(F(x) + shortcut(x)) with F of 1x1, 3x3, 1x1: arXiv 1512.03385 Fig. 5 right.

    Args:
        channels: a quarter of the block's output channels.
        groups, group_width: of the 3x3 convolution, which has channels * group_width / 64
            channels in each group.
        strides_first: whether the first 1x1 strides, as in the paper, or the 3x3, as torchvision.
    """

    expansion = 4

    def __init__(
        self,
        style: Style,
        in_channels: int,
        channels: int,
        stride: int,
        *,
        groups: int,
        group_width: int,
        strides_first: bool,
    ):
        super().__init__()
        width = channels * group_width // 64 * groups
        out_channels = channels * self.expansion
        first, second = (stride, 1) if strides_first else (1, stride)
        self.conv1 = style.conv(in_channels, width, 1, first)
        self.bn1 = style.norm(width)
        self.conv2 = style.conv(width, width, 3, second, groups)
        self.bn2 = style.norm(width)
        self.conv3 = style.conv(width, out_channels, 1)
        self.bn3 = style.norm(out_channels)
        self.downsample = make_shortcut(style, in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        return F.relu(out + self.downsample(x), inplace=True)
