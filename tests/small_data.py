"""A small set of own images: ten shapes, an epoch of which a net of 8 layers does in a second."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import numpy as np

from resnet_core.data.own_store import ClassCount, Report, store
from resnet_core.data.shapes import OUTLINES, draw_shapes
from resnet_core.data.source import Arrays

NAME = "own/small-shapes"
TRAIN, TEST = 1000, 200


def small_data_folder() -> Path:
    """A data folder with the set, which is gone when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix="resnet-lab-tests-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_small_set(folder)
    return folder


def write_small_set(data_folder: Path) -> None:
    rng = np.random.default_rng(7)
    classes = tuple(ClassCount(name, TRAIN // 10, TEST // 10) for name in OUTLINES)
    report = Report("small-shapes.npz", 32, 0, None, classes, (), 0, 0, ())
    arrays = Arrays(*draw_shapes(TRAIN, rng), *draw_shapes(TEST, rng), tuple(OUTLINES))
    (data_folder / "own").mkdir(parents=True, exist_ok=True)
    store(NAME, data_folder, arrays, report)
