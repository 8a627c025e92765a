from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from resnet_core.data.dataset import Split
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import PixelModel

SIZE = 16


@pytest.fixture
def make_model() -> Callable[..., PixelModel]:
    """A small net whose batch norms hold statistics and weights of their own, as trained ones do."""

    def make(family: str, depth: int, shortcut: str = "A") -> PixelModel:
        torch.manual_seed(3)
        config = ModelConfig(family, depth, shortcut, classes=4, input_size=SIZE)
        model = PixelModel(config, torch.full((3,), 120.0), torch.full((3,), 60.0))
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, std=0.3)
                module.running_mean.normal_(std=0.3)
                module.running_var.uniform_(0.5, 2.0)
        return model.eval()

    return make


@pytest.fixture
def pictures() -> Split:
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (24, SIZE, SIZE, 3), generator=generator, dtype=torch.uint8)
    return Split(images, torch.randint(0, 4, (24,), generator=generator))
