"""ONNX Runtime by itself, with no code of ours, on as many threads as tests may take."""

from __future__ import annotations

import os
from pathlib import Path

import onnxruntime


def open_onnx(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # Left alone, its threads spin on every core, beside other tests' too.
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", 0))
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
