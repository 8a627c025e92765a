"""ONNX Runtime by itself, with no code of ours, on every core, but on none while it waits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

BATCH = 100
"""Images at a time: more of them no longer fit the caches, and take longer each."""


def open_onnx(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Left alone, its threads spin while they wait, beside other tests' too.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def classes_of(file: Path, images: np.ndarray) -> np.ndarray:
    """(N,): the likeliest class of each image."""
    session = open_onnx(file)
    batches = (images[at : at + BATCH] for at in range(0, len(images), BATCH))
    return np.concatenate(
        [session.run(["probabilities"], {"image": batch})[0].argmax(1) for batch in batches]
    )
