"""Temperature scaling (Guo et al. 2017, arXiv 1706.04599): confidence that means what it says.

One number divides all logits. It changes no answer, only how sure it is. It is fitted on images
that were set aside from training; the test images are read once, to see what it did.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.confidence import Calibration, log_sum_exp
from export.session import OnnxSession
from resnet_core.analysis.images import validation_images
from resnet_core.data.dataset import load_dataset
from resnet_core.errors import DataError

BINS = 15
"""Of confidence, of equal width, as Guo et al. have them."""
BATCH = 250
LOWEST, HIGHEST = 0.02, 50.0
_STEPS = 100  # each narrows the range to 0.62 of it: far beyond what floats tell apart
_GOLDEN = (5**0.5 - 1) / 2


def calibrate(name: str, file: Path, data_folder: Path) -> Calibration:
    """Fit a model's temperature on the validation images of its own training.

    Args:
        name: what the model is called, for the command.
        file: its exact (fp32) ONNX file, in its folder of the zoo or its run's.

    Raises:
        DataError: it set no validation images aside; on what it learned from it is too sure.
    """
    session = OnnxSession(file, "cpu")
    dataset = load_dataset(session.facts.data, data_folder)
    held_out = validation_images(file.parent, dataset)
    if held_out is None:
        raise DataError(
            f"{name} (or the net it began with) learned from all training images, so none is left "
            "to fit its confidence on: it is shown as the net gives it. Train with --validation-images 5000 to have some."
        )
    logits, labels = find_logits(session, held_out.images.numpy()), held_out.labels.numpy()
    temperature = fit_temperature(logits, labels)
    test, truth = find_logits(session, dataset.test.images.numpy()), dataset.test.labels.numpy()
    return Calibration(
        temperature=temperature,
        fitted_on=f"{len(labels):,} validation images of {dataset.name}",
        nll_before=negative_log_likelihood(logits, labels),
        nll_after=negative_log_likelihood(logits / temperature, labels),
        test_images=len(truth),
        test_ece_before_percent=calibration_error_percent(test, truth),
        test_ece_after_percent=calibration_error_percent(test / temperature, truth),
        command=f"python -m export calibrate {name}",
    )


def find_logits(session: OnnxSession, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """uint8 (N, size, size, 3) → (N, classes)."""
    batches = range(0, len(images), BATCH)
    return np.concatenate([session.run(images[at : at + BATCH])[0] for at in batches]).astype(
        np.float64
    )


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature of the least negative log-likelihood: golden section, for there is one valley.

    In 1 / temperature the likelihood is convex, so that its logarithm has no second valley either.
    """
    low, high = np.log(LOWEST), np.log(HIGHEST)
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if negative_log_likelihood(logits / np.exp(left), labels) < negative_log_likelihood(
            logits / np.exp(right), labels
        ):
            high = right
        else:
            low = left
    return float(np.exp((low + high) / 2))


def negative_log_likelihood(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Mean over images, in nats."""
    return float((log_sum_exp(logits) - logits[np.arange(len(labels)), labels]).mean())


def calibration_error_percent(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """Expected calibration error: |accuracy - confidence| of each bin, weighted by its images."""
    confidence = np.exp(logits.max(axis=1) - log_sum_exp(logits))
    is_right = (logits.argmax(axis=1) == labels).astype(np.float64)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, is_right - confidence, minlength=BINS)
    return float(100 * np.abs(gaps).sum() / len(labels))
