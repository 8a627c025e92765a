"""A few pictures of four kinds of shapes as own images, and a net to start from, with statistics of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from resnet_core.data.own_images import prepare_images
from resnet_core.data.own_store import PreparedImages
from resnet_core.data.shapes import OUTLINES, draw_shapes
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import PixelModel
from resnet_core.models.saved import save_model

CLASSES = tuple(OUTLINES)[:4]


def draw_few(data_folder: Path, images: int = 160) -> PreparedImages:
    """About a quarter of `images`, those of four classes, half of them for the test."""
    x, y = draw_shapes(images, np.random.default_rng(5))
    keep = y < len(CLASSES)
    x, y = x[keep], y[keep]
    half = len(y) // 2
    file = data_folder / "few.npz"
    data_folder.mkdir(parents=True, exist_ok=True)
    np.savez(
        file, x_train=x[:half], y_train=y[:half], x_test=x[half:], y_test=y[half:],
        class_names=np.array(CLASSES),
    )  # fmt: skip
    return prepare_images(file, data_folder)


def save_start(
    path: Path, name: str = "resnet8_v1", mean: torch.Tensor | None = None, **options: object
) -> Path:
    """A net of six classes whose batch norms have seen something."""
    config = parse_model_name(name, **{"classes": 6, "input_size": 32, **options})
    torch.manual_seed(7)
    mean = torch.tensor([101.0, 102.0, 103.0]) if mean is None else mean
    model = PixelModel(config, mean, torch.full_like(mean, 61.0))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.num_batches_tracked.fill_(11)
    save_model(path, model, tuple(f"old {i}" for i in range(6)))
    return path
