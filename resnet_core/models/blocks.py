"""The building blocks, one class for each kind of network, and the shortcuts between shapes.

Every block maps (N, in_channels, H, W) to (N, out_channels, H / stride, W / stride).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Style:
    """How layers are made, the same for a whole net.

    The Keras example differs from the papers in its layers, not only in its shortcuts: every
    convolution has a bias and batch norm keeps Keras's defaults (epsilon 1e-3, momentum 0.99,
    which PyTorch calls 0.01).
    """

    shortcut: str = "A"

    @property
    def is_tutorial(self) -> bool:
        return self.shortcut == "tutorial"

    def conv(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> nn.Conv2d:
        return nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=kernel // 2,
            groups=groups,
            bias=self.is_tutorial,
        )

    def norm(self, channels: int) -> nn.BatchNorm2d:
        if self.is_tutorial:
            return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)
        return nn.BatchNorm2d(channels)


class ZeroPadShortcut(nn.Module):
    """Option A of arXiv 1512.03385 §3.3: take every stride-th pixel, add channels of zeros.

    No parameters. The new channels go half before and half after, so that no half of the
    next stage sees only zeros.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.stride = stride
        self.before = (out_channels - in_channels) // 2
        self.after = out_channels - in_channels - self.before

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.before, self.after))


def make_shortcut(style: Style, in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """What carries the input past a block: identity where the shape stays, else by option."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    if style.shortcut == "A":
        return ZeroPadShortcut(in_channels, out_channels, stride)
    projection = style.conv(in_channels, out_channels, 1, stride)
    if style.is_tutorial:
        return projection
    return nn.Sequential(projection, style.norm(out_channels))


class PlainBlock(nn.Module):
    """Two 3x3 convolutions with batch norm and no shortcut: the control of arXiv 1512.03385."""

    expansion = 1

    def __init__(self, style: Style, in_channels: int, channels: int, stride: int):
        super().__init__()
        self.conv1 = style.conv(in_channels, channels, 3, stride)
        self.bn1 = style.norm(channels)
        self.conv2 = style.conv(channels, channels, 3)
        self.bn2 = style.norm(channels)

    def branch(self, x: Tensor) -> Tensor:
        """The learned function F(x), before the last nonlinearity."""
        return self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)), inplace=True)))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x), inplace=True)


class ResidualBlock(PlainBlock):
    """relu(F(x) + shortcut(x)), the basic block of arXiv 1512.03385 Fig. 2 (ResNet v1)."""

    def __init__(self, style: Style, in_channels: int, channels: int, stride: int):
        super().__init__(style, in_channels, channels, stride)
        self.shortcut = make_shortcut(style, in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.branch(x) + self.shortcut(x), inplace=True)


class HighwayBlock(PlainBlock):
    """H(x) T(x) + carry(x) (1 - T(x)), with T a sigmoid gate (arXiv 1505.00387 eq. 3).

    The gate is a 1x1 convolution, as in the exclusive gating of arXiv 1603.05027 §3.1. Its bias
    starts negative, so that a deep net begins close to the identity and can be trained at all.
    """

    gate_bias = -3.0

    def __init__(self, style: Style, in_channels: int, channels: int, stride: int):
        super().__init__(style, in_channels, channels, stride)
        self.gate = nn.Conv2d(in_channels, channels, 1, stride)
        self.shortcut = make_shortcut(style, in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        transform = F.relu(self.branch(x))
        carry = self.shortcut(x)
        return torch.lerp(carry, transform, torch.sigmoid(self.gate(x)))


class PreActivationBottleneck(nn.Module):
    """x + F(x) with F = three times (norm, ReLU, convolution): arXiv 1603.05027 Fig. 4e.

    `channels` is the width of the 3x3 convolution; `out_channels` that of the block. A block
    that changes the shape feeds its shortcut the pre-activated input where the shortcut is a
    projection (option B: it then stands behind a batch norm as everything in this net does).
    The Keras example projects the raw input, and has no activation before its first convolution.
    """

    def __init__(
        self,
        style: Style,
        in_channels: int,
        channels: int,
        out_channels: int,
        stride: int,
        pre_activate: bool = True,
    ):
        super().__init__()
        self.bn1 = style.norm(in_channels) if pre_activate else nn.Identity()
        self.act1 = nn.ReLU() if pre_activate else nn.Identity()
        self.conv1 = style.conv(in_channels, channels, 1, stride)
        self.bn2 = style.norm(channels)
        self.conv2 = style.conv(channels, channels, 3)
        self.bn3 = style.norm(channels)
        self.conv3 = style.conv(channels, out_channels, 1)
        changes_shape = stride != 1 or in_channels != out_channels
        self.projects_activated = changes_shape and style.shortcut == "B"
        self.shortcut: nn.Module
        if self.projects_activated:
            self.shortcut = style.conv(in_channels, out_channels, 1, stride)
        else:
            self.shortcut = make_shortcut(style, in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        activated = self.act1(self.bn1(x))
        carried = self.shortcut(activated if self.projects_activated else x)
        out = self.conv1(activated)
        out = self.conv2(F.relu(self.bn2(out), inplace=True))
        out = self.conv3(F.relu(self.bn3(out), inplace=True))
        return carried + out
