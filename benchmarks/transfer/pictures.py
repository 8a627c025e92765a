"""CIFAR-10 divided by classes: some for the net to start from, others to be learnt from few pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet_core.data.cifar10 import CLASS_NAMES, load_cifar10_arrays
from resnet_core.data.own_images import prepare_images
from resnet_core.data.own_store import PreparedImages
from resnet_core.data.source import Arrays
from resnet_core.errors import ConfigError

KNOWN, NEW = CLASS_NAMES[:6], CLASS_NAMES[6:]
"""The classes the start is trained on, and those that come after: in the data set's order."""


def draw_known(cifar10: Arrays, folder: Path, images: int) -> PreparedImages:
    """Pictures of the known classes as a set of their own under `folder`.

    Args:
        images: training images, as many of each class; 30,000 are all there are.
    """
    return _prepare(cifar10, KNOWN, images // len(KNOWN), 0, folder / "known.npz")


def draw_new(cifar10: Arrays, folder: Path, per_class: int, seed: int) -> PreparedImages:
    """`per_class` training pictures of each new class, drawn by seed, and all their test images."""
    return _prepare(cifar10, NEW, per_class, seed, folder / f"new-{per_class}-{seed}.npz")


def read_cifar10(data_folder: Path) -> Arrays:
    return load_cifar10_arrays(data_folder)


def _prepare(
    cifar10: Arrays, names: tuple[str, ...], per_class: int, seed: int, file: Path
) -> PreparedImages:
    if not 1 <= per_class <= 5000:
        raise ConfigError(
            f"CIFAR-10 has 5,000 training images a class: {per_class} can't be drawn."
        )
    rng = np.random.default_rng(seed)
    wanted = [CLASS_NAMES.index(name) for name in names]
    train = np.concatenate(
        [rng.permutation(np.flatnonzero(cifar10.y_train == label))[:per_class] for label in wanted]
    )
    test = np.flatnonzero(np.isin(cifar10.y_test, wanted))
    chosen = Arrays(
        cifar10.x_train[train],
        _numbered(cifar10.y_train[train], wanted),
        cifar10.x_test[test],
        _numbered(cifar10.y_test[test], wanted),
        names,
    )
    chosen.write(file)
    return prepare_images(file, file.parent)


def _numbered(labels: NDArray[np.integer], wanted: list[int]) -> NDArray[np.uint8]:
    """Labels counted within the wanted classes."""
    return np.searchsorted(wanted, labels).astype(np.uint8)
