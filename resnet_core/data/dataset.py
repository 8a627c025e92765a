"""What a data set is, how it is found by name, and how validation images are set aside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch
from torch import Tensor

from resnet_core.data.catalogue import no_such_dataset
from resnet_core.data.cifar10 import load_cifar10_arrays
from resnet_core.data.own_store import PREFIX, load_own_arrays
from resnet_core.data.shapes import load_shapes_arrays
from resnet_core.data.source import Arrays
from resnet_core.errors import ConfigError


@dataclass(frozen=True)
class Split:
    """Images uint8 (N, H, W, 3) and their labels int64 (N,), on one device."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Split:
        return Split(self.images.to(device), self.labels.to(device))

    def take(self, index: Tensor) -> Split:
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Dataset:
    """A data set: the images to learn from, and the test images that are read once, at the end."""

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]


SOURCES: dict[str, Callable[[Path], Arrays]] = {
    "cifar10": load_cifar10_arrays,
    "shapes": load_shapes_arrays,
}


def load_dataset(name: str, data_folder: Path) -> Dataset:
    """Load a data set by name: a built-in one, or own images prepared under `data_folder`.

    CIFAR-10 is fetched into `data_folder` where it is absent.

    Raises:
        ConfigError: no data set of that name.
        DataError: the file is damaged, or the download failed.
    """
    arrays = _load_arrays(name, data_folder)
    train = Split(torch.from_numpy(arrays.x_train), torch.from_numpy(arrays.y_train).long())
    test = Split(torch.from_numpy(arrays.x_test), torch.from_numpy(arrays.y_test).long())
    return Dataset(name, train, test, arrays.class_names)


def _load_arrays(name: str, data_folder: Path) -> Arrays:
    if name.startswith(PREFIX):
        return load_own_arrays(name, data_folder)
    if name not in SOURCES:
        raise ConfigError(no_such_dataset(name, data_folder))
    return SOURCES[name](data_folder)


def hold_out(dataset: Dataset, wanted: int, seed: int) -> tuple[Split, Split]:
    """The images left to train on and the validation images that a training sets aside.

    At most a tenth: small sets keep enough to learn from. Of own images all copies of a picture
    stay on one side, so there may be fewer; the sets that come with the app are drawn by image.
    """
    kept, held_out = _divide(dataset, wanted, seed)
    return dataset.train.take(kept), dataset.train.take(held_out)


def count_held_out(dataset: Dataset, wanted: int, seed: int) -> int:
    """How many images `hold_out` sets aside."""
    return len(_divide(dataset, wanted, seed)[1])


def _divide(dataset: Dataset, wanted: int, seed: int) -> tuple[Tensor, Tensor]:
    count = min(wanted, len(dataset.train) // 10)
    return _draw(dataset.train, count, seed, by_picture=dataset.name.startswith(PREFIX))


def split_validation(train: Split, validation_images: int, seed: int) -> tuple[Split, Split]:
    """Set `validation_images` aside at random, the same ones for the same seed.

    Returns:
        The images left to train on and the validation images (empty when 0 are asked for).

    Raises:
        ConfigError: more validation images than leaves one to train on.
    """
    if not 0 <= validation_images < len(train):
        raise ConfigError(
            f"{validation_images} validation images of {len(train)} can't be set aside: "
            f"choose 0 to {len(train) - 1}."
        )
    kept, held_out = _draw(train, validation_images, seed, by_picture=False)
    return train.take(kept), train.take(held_out)


def _draw(train: Split, count: int, seed: int, by_picture: bool) -> tuple[Tensor, Tensor]:
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(seed))
    is_held_out = torch.zeros(len(train), dtype=torch.bool)
    is_held_out[_whole_pictures(train, order, count) if by_picture else order[:count]] = True
    # By place, so that the file's order and not the draw decides where an image stands.
    return (~is_held_out).nonzero()[:, 0], is_held_out.nonzero()[:, 0]


def _whole_pictures(train: Split, order: Tensor, count: int) -> Tensor:
    """At most `count` places, those first in `order`, each with all copies of its picture.

    A picture with more copies than there is room for is passed over.
    """
    chosen: list[int] = []
    if count:
        digests = [
            blake2b(image.tobytes(), digest_size=16).digest() for image in train.images.numpy()
        ]
        copies: dict[bytes, list[int]] = {}
        for place, digest in enumerate(digests):
            copies.setdefault(digest, []).append(place)
        for digest in dict.fromkeys(digests[place] for place in order.tolist()):
            if len(chosen) + len(copies[digest]) <= count:
                chosen += copies[digest]
    return torch.tensor(chosen, dtype=torch.int64)


def channel_statistics(split: Split) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each colour channel, (3,) each, in 0..255."""
    pixels = split.images.reshape(-1, 3)
    # Integer histograms are exact and need no float copy of the whole set.
    values = torch.arange(256, dtype=torch.float64)
    mean, std = [], []
    for channel in range(3):
        share = torch.bincount(pixels[:, channel].long(), minlength=256).double() / len(pixels)
        mean.append((share * values).sum())
        std.append((share * (values - mean[-1]) ** 2).sum().sqrt())
    return torch.stack(mean).float(), torch.stack(std).float()


def pixel_mean(split: Split) -> tuple[Tensor, Tensor]:
    """The mean picture (H, W, 3) in 0..255, and 255 everywhere as its divisor.

    As the papers and the Keras example do: pixels scaled to 0..1, their mean subtracted.
    """
    total = torch.zeros(split.images.shape[1:], dtype=torch.float64)
    for start in range(0, len(split), 10_000):
        total += split.images[start : start + 10_000].double().sum(dim=0)
    mean = (total / len(split)).float()
    return mean, torch.full_like(mean, 255.0)
