"""Many small pictures, and engines that are quick, counted or stuck."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.classifier import ReadyModel
from export.engines.interface import OpenModel
from export.session import ModelFacts

SIZE = 4
CLASSES = ("dark", "middle", "bright")


def facts() -> ModelFacts:
    return ModelFacts("brightness", "plain", 1, CLASSES, SIZE, "a test", "none", None)


@dataclass
class Brightness:
    """An engine whose answer can be said by looking: how near a picture is to 0, 127 and 255."""

    name: str = "by eye"
    batches: list[int] = field(default_factory=list)

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(images))
        distance = np.abs(images.mean((1, 2, 3))[:, None] - np.array([0.0, 127.0, 255.0]))
        nearness = np.exp(-distance / 32)
        return (nearness / nearness.sum(1, keepdims=True)).astype(np.float32)


def model(runner: OpenModel | None = None) -> ReadyModel:
    return ReadyModel(Path("brightness.onnx"), facts(), runner or Brightness())


def write_grey(path: Path, grey: int, side: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), (grey, grey, grey)).save(path, "PNG")
    return path


def rows(table: Path) -> list[dict[str, str]]:
    with open(table, encoding="utf-8", errors="surrogateescape", newline="") as file:
        return list(csv.DictReader(file))
