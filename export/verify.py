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
# fp32 rounds by parts of a number: what counts for large logits is the part.
MAX_RELATIVE_DIFFERENCE = 1e-5
TEST_BATCH = 500


@dataclass(frozen=True)
class Parity:
    """How far an exported model is from its original."""

    max_logit_difference: float
    """Largest |logit - logit| on random pixels at batch 1, 2 and 7."""
    largest_logit: float
    """Largest |logit| on these pixels."""
    test_images: int
    agreement_percent: float | None
    """Share of test images with the same top class; None where no test images were given."""
    test_error_percent: float | None
    """The exported file's own error on the test images."""

    @property
    def allowed(self) -> float:
        """How far a logit may be from PyTorch's."""
        return max(MAX_LOGIT_DIFFERENCE, MAX_RELATIVE_DIFFERENCE * self.largest_logit)

    @property
    def passed(self) -> bool:
        is_close = self.max_logit_difference <= self.allowed
        return is_close and self.agreement_percent in (None, 100.0)


def verify_onnx(path: Path, model: PixelModel, test: Split | None, seed: int = 0) -> Parity:
    """Compare an ONNX file with its PyTorch model, on random pixels and on a test split."""
    session = OnnxSession(path, "cpu")
    model = model.cpu().eval()
    compared = [_compare_logits(session, model, batch, seed) for batch in BATCHES]
    difference, largest = (float(value) for value in np.max(compared, axis=0))
    if test is None:
        return Parity(difference, largest, 0, None, None)
    agreeing = wrong = 0
    for start in range(0, len(test), TEST_BATCH):
        images = test.images[start : start + TEST_BATCH]
        labels = test.labels[start : start + TEST_BATCH].numpy()
        ours = session.run(images.numpy())[0].argmax(1)
        with torch.no_grad():
            theirs = model(images).argmax(1).numpy()
        agreeing += int((ours == theirs).sum())
        wrong += int((ours != labels).sum())
    shares = (100 * agreeing / len(test), 100 * wrong / len(test))
    return Parity(difference, largest, len(test), *shares)


def _compare_logits(
    session: OnnxSession, model: PixelModel, batch: int, seed: int
) -> tuple[float, float]:
    """Largest difference and largest logit; both are NaN, and pass nothing, where a logit is."""
    size = model.config.input_size
    pixels = np.random.default_rng(seed + batch).integers(
        0, 256, (batch, size, size, 3), dtype=np.uint8
    )
    with torch.no_grad():
        expected = model(torch.from_numpy(pixels)).numpy()
    return float(np.abs(session.run(pixels)[0] - expected).max()), float(np.abs(expected).max())
