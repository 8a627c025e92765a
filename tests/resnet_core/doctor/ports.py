"""Small nets as other people write them: their names, their forward, none of this kit's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PadChannels(nn.Module):
    """Option A: every second pixel, zeros before and after the channels, or all of them after."""

    def __init__(self, width: int, after: bool):
        super().__init__()
        self.width, self.after = width, after

    def forward(self, x: Tensor) -> Tensor:
        small = x[:, :, ::2, ::2]
        n, channels, height, width = small.shape
        out = small.new_zeros(n, self.width, height, width)
        first = 0 if self.after else (self.width - channels) // 2
        out[:, first : first + channels] = small
        return out


class Block(nn.Module):
    def __init__(self, c_in: int, c: int, stride: int, option: str, shortcut: str):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c)
        self.conv2 = nn.Conv2d(c, c, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c)
        way: nn.Module = nn.Sequential()
        if stride != 1 and option in ("A", "A after"):
            way = PadChannels(c, option == "A after")
        elif stride != 1 and option == "B":
            way = nn.Sequential(nn.Conv2d(c_in, c, 1, stride, bias=False), nn.BatchNorm2d(c))
        self.has_skip, self.way = option != "none", shortcut
        setattr(self, shortcut, way)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        if self.has_skip:
            out = out + getattr(self, self.way)(x)
        return torch.relu(out)


class Port(nn.Module):
    """A v1 net of 6n+2 layers; `option` none is a plain net."""

    def __init__(
        self, n: int = 1, option: str = "A", shortcut: str = "shortcut", last: str = "linear",
        classes: int = 10, width: int = 16,
    ):  # fmt: skip
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        for stage, (c_in, c) in enumerate([(1, 1), (1, 2), (2, 4)], start=1):
            blocks = [
                Block(width * (c if i else c_in), width * c, 2 if stage > 1 and i == 0 else 1, option, shortcut)
                for i in range(n)
            ]  # fmt: skip
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.last = last
        setattr(self, last, nn.Linear(4 * width, classes))
        unsettle(self)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(x)))
        for stage in "123":
            x = getattr(self, f"layer{stage}")(x)
        return getattr(self, self.last)(x.mean(dim=(2, 3)))


class PreActBottleneck(nn.Module):
    def __init__(self, c_in: int, c: int, stride: int, shortcut: str):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(c_in), nn.Conv2d(c_in, c, 1, stride, bias=False)
        self.bn2, self.conv2 = nn.BatchNorm2d(c), nn.Conv2d(c, c, 3, 1, 1, bias=False)
        self.bn3, self.conv3 = nn.BatchNorm2d(c), nn.Conv2d(c, 4 * c, 1, bias=False)
        self.projection = shortcut if c_in != 4 * c else ""
        if self.projection:
            setattr(self, shortcut, nn.Sequential(nn.Conv2d(c_in, 4 * c, 1, stride, bias=False)))

    def forward(self, x: Tensor) -> Tensor:
        active = torch.relu(self.bn1(x))
        skip = getattr(self, self.projection)(active) if self.projection else x
        out = self.conv1(active)
        out = self.conv2(torch.relu(self.bn2(out)))
        return self.conv3(torch.relu(self.bn3(out))) + skip


class PreActPort(nn.Module):
    """A v2 net of 9n+2 layers, as He et al. 2016: stride in the first 1x1 convolution."""

    def __init__(self, n: int = 1, shortcut: str = "shortcut", norm: str = "bn"):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        for stage, (c_in, c) in enumerate([(16, 16), (64, 32), (128, 64)], start=1):
            blocks = [
                PreActBottleneck(
                    4 * c if i else c_in, c, 2 if stage > 1 and i == 0 else 1, shortcut
                )
                for i in range(n)
            ]
            setattr(self, f"layer{stage}", nn.Sequential(*blocks))
        self.norm = norm
        setattr(self, norm, nn.BatchNorm2d(256))
        self.linear = nn.Linear(256, 10)
        unsettle(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
        return self.linear(torch.relu(getattr(self, self.norm)(x)).mean(dim=(2, 3)))


def unsettle(net: nn.Module) -> None:
    """Statistics and scales that an untrained net does not have: else a wrong norm would not show."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                for tensor, spread, centre in (
                    (module.weight, 0.5, 0.75), (module.bias, 0.4, -0.2),
                    (module.running_mean, 0.4, -0.2), (module.running_var, 1.0, 0.5),
                ):  # fmt: skip
                    tensor.copy_(torch.rand(tensor.shape, generator=generator) * spread + centre)
    net.eval()


def logits(net: nn.Module, images: Tensor, mean: Any = MEAN, std: Any = STD) -> Tensor:
    """What the port says of uint8 (N, H, W, 3), normalised as torchvision's transforms do."""
    x = images.permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        return net((x - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None])


def some_pixels(n: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (n, 32, 32, 3), dtype=torch.uint8, generator=generator)


def save(content: Any, path: Path, legacy: bool = False) -> Path:
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({k: t.contiguous() for k, t in content.items()}, path)
    else:
        torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    return path
