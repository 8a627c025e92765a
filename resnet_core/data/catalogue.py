"""The data sets there are, and what a net must know of one. No torch: the app lists them."""

from __future__ import annotations

from pathlib import Path

from resnet_core.data import cifar10, imagenet, shapes
from resnet_core.data.own_store import PREFIX, find_prepared, own_names
from resnet_core.errors import ConfigError

BUILT_IN: dict[str, tuple[tuple[str, ...], int]] = {
    "cifar10": (cifar10.CLASS_NAMES, cifar10.SIDE),
    "shapes": (tuple(shapes.OUTLINES), shapes.SIDE),
}
TRAIN_IMAGES = {"cifar10": cifar10.TRAIN_IMAGES, "shapes": shapes.TRAIN_IMAGES}

# What an imported model was trained on, where nobody said.
UNKNOWN_DATA = "unknown"


def list_datasets(data_folder: Path) -> list[str]:
    """Names to train by: the built-in sets, then own images prepared under `data_folder`."""
    return [*BUILT_IN, *own_names(data_folder)]


def describe_dataset(name: str, data_folder: Path) -> tuple[tuple[str, ...], int]:
    """Class names, and height and width in pixels, without loading an image.

    Raises:
        ConfigError: no data set of that name, with those there are.
        DataError: a prepared set's file is damaged.
    """
    if name.startswith(PREFIX):
        prepared = find_prepared(name, data_folder)
        return prepared.class_names, prepared.report.image_size
    if name not in BUILT_IN:
        raise ConfigError(no_such_dataset(name, data_folder))
    return BUILT_IN[name]


def count_train_images(name: str, data_folder: Path) -> int:
    """How many images there are to train on, without loading one.

    Raises:
        ConfigError: no data set of that name, with those there are.
        DataError: a prepared set's file is damaged.
    """
    if name.startswith(PREFIX):
        return find_prepared(name, data_folder).report.train_images
    if name not in TRAIN_IMAGES:
        raise ConfigError(no_such_dataset(name, data_folder))
    return TRAIN_IMAGES[name]


def no_such_dataset(name: str, data_folder: Path) -> str:
    if name == UNKNOWN_DATA:
        return (
            "It is not known which data this model was trained on: name a set with --data, or import "
            "the model again with one."
        )
    if name == imagenet.NAME:
        return (
            "ImageNet's pictures can't be fetched, they are lent on request alone: name another set "
            "with --data."
        )
    return (
        f"There is no data set named '{name}': choose one of "
        f"{', '.join(list_datasets(data_folder))}, or name a zip, folder or .npz of own images."
    )
