"""The pictures on which every engine must give the exact file's answers before it may be used."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.session import ModelFacts
from resnet_core.data.catalogue import UNKNOWN_DATA
from resnet_core.data.dataset import load_dataset
from resnet_core.errors import DataError

GATE_IMAGES = 10_000
STAND_IN = "shapes"


@dataclass(frozen=True)
class Gate:
    """Test images, and what to call them."""

    images: NDArray[np.uint8]
    """(N, size, size, 3)."""
    labels: NDArray[np.int64] | None
    """(N,); None where the pictures are of classes that the model does not know."""
    said: str


def find_gate(facts: ModelFacts, data_folder: Path) -> Gate:
    """The model's own test images; where they are unknown or CIFAR-10 was never fetched, drawn ones.

    Nothing is downloaded for this. Pictures that a net was not trained on are the harder test of
    agreement: its classes lie closer together.

    Raises:
        DataError: the model's own images are not here, and it takes pictures of another size.
    """
    is_known = facts.data != UNKNOWN_DATA
    is_here = is_known and (facts.data != "cifar10" or (data_folder / "cifar10.npz").is_file())
    test = load_dataset(facts.data if is_here else STAND_IN, data_folder).test
    images, labels = test.images[:GATE_IMAGES].numpy(), test.labels[:GATE_IMAGES].numpy()
    if images.shape[1] != facts.input_size:
        raise DataError(
            f"{facts.name} takes pictures of {facts.input_size} pixels and its test images are not "
            f"in {data_folder}: name their folder with --data-folder."
        )
    if is_here:
        return Gate(images, labels, f"{len(images):,} test images of {facts.data}")
    why = f"{facts.data} is not here" if is_known else "it is not known what it was trained on"
    return Gate(images, None, f"{len(images):,} drawn pictures, for {why}")
