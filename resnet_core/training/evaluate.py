"""Measuring a model on a split: mean loss and error, in evaluation mode."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from resnet_core.data.dataset import Split
from resnet_core.training.hardware import Hardware

EVALUATION_BATCH = 500


@dataclass(frozen=True)
class Score:
    """Mean cross-entropy in nats and error in percent over `images` images."""

    loss: float
    error_percent: float
    images: int


def evaluate(model: nn.Module, split: Split, hardware: Hardware) -> Score:
    """Score the model on every image of the split once, unaugmented; each layer's mode is put back."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=hardware.device)
    wrong = torch.zeros((), dtype=torch.int64, device=hardware.device)
    with torch.no_grad():
        for start in range(0, len(split), EVALUATION_BATCH):
            images = split.images[start : start + EVALUATION_BATCH]
            labels = split.labels[start : start + EVALUATION_BATCH]
            with hardware.autocast():
                logits = model(images).float()
            loss += F.cross_entropy(logits, labels, reduction="sum")
            wrong += (logits.argmax(1) != labels).sum()
    for module, was_training in modes.items():
        module.training = was_training
    return Score(loss.item() / len(split), 100 * wrong.item() / len(split), len(split))
