"""How far to trust a model's answers, as was measured of it once: a file beside its ONNX file.

`model.confidence.json` holds what `python -m export calibrate` and `unlike` found, and the hash of
the model they found it of: what was measured of other weights counts as nothing. No torch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.converted import hash_file
from resnet_core.files import read_json, write_json
from resnet_core.onnx_names import confidence_file

FORMAT = "resnet-lab-confidence-1"


@dataclass(frozen=True)
class Calibration:
    """A temperature that makes probabilities mean what they say (Guo et al. 2017)."""

    temperature: float
    """Logits are divided by it: above 1 the net was too sure."""
    fitted_on: str
    """On which images, in words."""
    nll_before: float
    """Mean negative log-likelihood on those images, in nats."""
    nll_after: float
    test_images: int
    test_ece_before_percent: float
    """Expected calibration error on the test images: mean |confidence - accuracy| over its bins."""
    test_ece_after_percent: float
    command: str
    environment: dict[str, Any] = field(default_factory=dict)
    """Versions and machine, as `describe_machine` tells them."""


@dataclass(frozen=True)
class Strangers:
    """Pictures of another kind than a net learned from, and how well its score tells them apart."""

    name: str
    images: int
    auroc_percent: float
    """How often a test image has the higher score than one of these: 50 is a guess."""
    flagged_percent: float
    """How many of these lie below the threshold."""
    auroc_of_maximum_percent: float
    """The same as `auroc_percent` for the largest logit as the score, for comparison."""


@dataclass(frozen=True)
class Familiarity:
    """Below which energy score a picture is unlike what a net learned from (Liu et al. 2020)."""

    threshold: float
    """The 5th percentile of the score over images like those of training."""
    threshold_from: str
    """On which images, in words."""
    test_images: int
    """Test images that had no say in the threshold."""
    test_flagged_percent: float
    """How many of these lie below it all the same."""
    strangers: tuple[Strangers, ...]
    command: str
    environment: dict[str, Any] = field(default_factory=dict)
    """As a calibration's."""


@dataclass(frozen=True)
class Confidence:
    """What was measured of a model; None what was not."""

    calibration: Calibration | None = None
    familiarity: Familiarity | None = None


NOTHING = Confidence()


def read_confidence(model: Path) -> Confidence:
    """What was measured of this very file; a damaged note, or one of other weights, is nothing.

    Args:
        model: the exact (fp32) ONNX file.
    """
    file = confidence_file(model)
    try:
        written_at_ns = file.stat().st_mtime_ns
    except OSError:
        return NOTHING
    return _read_once(file, written_at_ns, hash_file(model))


@lru_cache(maxsize=64)
def _read_once(file: Path, _written_at_ns: int, model_hash: str) -> Confidence:
    """Kept until either file changes: every answer asks for it."""
    try:
        stored = read_json(file)
        if stored["format"] != FORMAT or stored["model_sha256"] != model_hash:
            return NOTHING
        return Confidence(
            _read_calibration(stored["calibration"]), _read_familiarity(stored["familiarity"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return NOTHING


def _read_calibration(stored: dict[str, Any] | None) -> Calibration | None:
    return Calibration(**stored) if stored else None


def _read_familiarity(stored: dict[str, Any] | None) -> Familiarity | None:
    if not stored:
        return None
    strangers = tuple(Strangers(**each) for each in stored["strangers"])
    return Familiarity(**{**stored, "strangers": strangers})


def write_confidence(model: Path, found: Confidence) -> Path:
    """Put what was measured beside the model, in one step; gives the file."""
    file = confidence_file(model)
    write_json(file, {"format": FORMAT, "model_sha256": hash_file(model), **asdict(found)})
    return file


def soften(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities (N, classes) as their logits divided by `temperature` would give them."""
    # A logit is the logarithm of its probability, but for a number that all classes share.
    logs = np.log(np.maximum(probabilities.astype(np.float64), np.finfo(np.float32).tiny))
    powers = np.exp((logs - logs.max(axis=1, keepdims=True)) / temperature)
    return (powers / powers.sum(axis=1, keepdims=True)).astype(np.float32)


def log_sum_exp(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, classes) → (N,)."""
    top = logits.max(axis=1)
    return top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
