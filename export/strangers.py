"""Pictures that a net did not learn from: drawn shapes, noise, a folder of photos."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from export.calibrate import find_logits
from export.confidence import Familiarity
from export.session import ModelFacts, OnnxSession
from export.unlike import summarise
from resnet_core.analysis.images import validation_images
from resnet_core.data.dataset import Dataset, Split, load_dataset
from resnet_core.data.shapes import draw_shapes
from resnet_core.errors import DataError, PictureError
from resnet_core.pictures import read_picture, to_input

COUNT = 2000
"""Drawn pictures of each kind."""
SEED = 0
COARSE = 4
"""Soft noise has this many random patches along each side, blurred into each other."""


def measure_familiarity(
    name: str, file: Path, data_folder: Path, photos: Path | None = None
) -> Familiarity:
    """How well a net's energy score tells its own test images from others.

    The threshold comes from validation images; a net that set none aside leaves half of
    the test images to it (their labels stay unread), and is judged on the others.

    Args:
        name: what the model is called, for the command.
        file: its exact (fp32) ONNX file, in its folder of the zoo or its run's.
        photos: a folder of pictures of other things than it knows.

    Raises:
        DataError: its data are not there, or no picture in `photos` can be read.
    """
    session = OnnxSession(file, "cpu")
    dataset = load_dataset(session.facts.data, data_folder)
    like, test, said = _familiar(file, dataset)
    strangers = {
        kind: find_logits(session, images)
        for kind, images in _strangers(dataset.name, session.facts, photos)
    }
    command = f"python -m export unlike {name}" + (f" --photos {photos}" if photos else "")
    return summarise(
        find_logits(session, like.images.numpy()),
        said,
        find_logits(session, test.images.numpy()),
        strangers,
        command,
    )


def _familiar(file: Path, dataset: Dataset) -> tuple[Split, Split, str]:
    """Images for the threshold, test images to judge by, and what the first are."""
    held_out = validation_images(file.parent, dataset)
    if held_out is not None:
        return held_out, dataset.test, f"{len(held_out):,} validation images of {dataset.name}"
    # Drawn: the images may stand in an order of their classes.
    order = torch.randperm(len(dataset.test), generator=torch.Generator().manual_seed(SEED))
    half = len(order) // 2
    like, test = dataset.test.take(order[:half]), dataset.test.take(order[half:])
    return like, test, f"half of the test images of {dataset.name}, {half:,}, without labels"


def _strangers(
    own: str, facts: ModelFacts, photos: Path | None
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    rng, size = np.random.default_rng(SEED), facts.input_size
    if own != "shapes":
        drawn, _ = draw_shapes(COUNT, rng)
        yield "shapes", _sized(drawn, size)
    yield "noise", rng.integers(0, 256, (COUNT, size, size, 3), dtype=np.uint8)
    yield "soft noise", _sized(rng.integers(0, 256, (COUNT, COARSE, COARSE, 3), np.uint8), size)
    if photos is not None:
        yield f"photos in {photos.name}", _read_photos(photos, facts)


def _sized(images: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    return np.stack([to_input(Image.fromarray(image), size) for image in images])


def _read_photos(folder: Path, facts: ModelFacts) -> NDArray[np.uint8]:
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            found.append(to_input(read_picture(path).image, facts.input_size, facts.crop_share))
        except PictureError:  # folders of photos hold other files too
            continue
    if not found:
        raise DataError(f"There is no picture in {folder} that can be read: check --photos.")
    return np.stack(found)
