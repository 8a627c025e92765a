"""The pictures on which every engine must give the exact file's answers before it may be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.session import ModelFacts
from resnet_core.data.catalogue import UNKNOWN_DATA, list_datasets
from resnet_core.data.cifar10 import FILE_NAME
from resnet_core.data.dataset import load_dataset
from resnet_core.pictures import to_input

GATE_IMAGES = 10_000
LEAST_IMAGES = 400
"""For nets of large pictures: fewer could not show one answer in 200 that differs."""
STAND_IN, CIFAR10 = "shapes", "cifar10"


@dataclass(frozen=True)
class Gate:
    """Test images, and what to call them."""

    images: NDArray[np.uint8]
    """(N, size, size, 3)."""
    labels: NDArray[np.int64] | None
    """(N,); None where the pictures are of classes that the model does not know."""
    said: str


def find_gate(facts: ModelFacts, data_folder: Path) -> Gate:
    """The model's own test images; where they are unknown or not here, drawn ones of its size.

    Nothing is downloaded for this. Pictures that a net was not trained on are the harder test of
    agreement: its classes lie closer together.

    Raises:
        DataError: the file of its test images is damaged.
    """
    why = f"{facts.data} is not here"
    if facts.data == UNKNOWN_DATA:
        why = "it is not known what it was trained on"
    elif has_test_images(facts.data, data_folder):
        test = load_dataset(facts.data, data_folder).test
        images, labels = test.images[:GATE_IMAGES].numpy(), test.labels[:GATE_IMAGES].numpy()
        if images.shape[1] == facts.input_size:
            return Gate(images, labels, f"{len(images):,} test images of {facts.data}")
        why = f"{facts.data} has none of {facts.input_size} pixels"
    images = _drawn(facts.input_size, data_folder)
    return Gate(images, None, f"{len(images):,} drawn pictures, for {why}")


def has_test_images(data: str, data_folder: Path) -> bool:
    """Whether the test images of a data set are here already."""
    if data == CIFAR10:
        return (data_folder / FILE_NAME).is_file()
    return data in list_datasets(data_folder)


def _drawn(size: int, data_folder: Path) -> NDArray[np.uint8]:
    """As many pixels in all as the usual test images have, yet not too few pictures."""
    images = load_dataset(STAND_IN, data_folder).test.images.numpy()
    side = images.shape[1]
    images = images[: max(LEAST_IMAGES, GATE_IMAGES * side**2 // size**2)]
    if size == side:
        return images
    return np.stack([to_input(Image.fromarray(image), size) for image in images])
