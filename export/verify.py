"""Proof that an exported file computes what PyTorch computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from export.session import OnnxSession
from resnet_core.data.dataset import Split
from resnet_core.models.network import PixelModel

BATCHES = (1, 2, 7)
MAX_LOGIT_DIFFERENCE = 1e-4
TEST_BATCH = 500


@dataclass(frozen=True)
class Parity:
    """How far an exported model is from its original."""

    max_logit_difference: float
    """Largest |logit - logit| on random pixels at batch 1, 2 and 7."""
    test_images: int
    agreement_percent: float | None
    """Share of test images with the same top class; None where no test images were given."""
    test_error_percent: float | None
    """The exported file's own error on the test images."""

    @property
    def passed(self) -> bool:
        return self.max_logit_difference <= MAX_LOGIT_DIFFERENCE and self.agreement_percent in (
            None,
            100.0,
        )


def verify_onnx(path: Path, model: PixelModel, test: Split | None, seed: int = 0) -> Parity:
    """Compare an ONNX file with its PyTorch model, on random pixels and on a test split."""
    session = OnnxSession(path, "cpu")
    model = model.cpu().eval()
    difference = max(_logit_difference(session, model, batch, seed) for batch in BATCHES)
    if test is None:
        return Parity(difference, 0, None, None)
    agreeing = wrong = 0
    for start in range(0, len(test), TEST_BATCH):
        images = test.images[start : start + TEST_BATCH]
        labels = test.labels[start : start + TEST_BATCH].numpy()
        ours = session.run(images.numpy())[0].argmax(1)
        with torch.no_grad():
            theirs = model(images).argmax(1).numpy()
        agreeing += int((ours == theirs).sum())
        wrong += int((ours != labels).sum())
    return Parity(difference, len(test), 100 * agreeing / len(test), 100 * wrong / len(test))


def _logit_difference(session: OnnxSession, model: PixelModel, batch: int, seed: int) -> float:
    size = model.config.input_size
    pixels = np.random.default_rng(seed + batch).integers(
        0, 256, (batch, size, size, 3), dtype=np.uint8
    )
    with torch.no_grad():
        expected = model(torch.from_numpy(pixels)).numpy()
    return float(np.abs(session.run(pixels)[0] - expected).max())
