"""CIFAR-10 (Krizhevsky 2009): read from `cifar10.npz`, or fetched once and stored in that layout.

Keys: `x_train` (50000, 32, 32, 3) and `x_test` (10000, 32, 32, 3) uint8 RGB, `y_train` and
`y_test` uint8, `class_names` (10,) str. Other keys are left alone.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from resnet_core.data.source import NPZ_ERRORS, Arrays, as_texts
from resnet_core.errors import DataError, briefly
from resnet_core.locks import hold

FILE_NAME, LOCK_NAME = "cifar10.npz", ".cifar10.lock"
PARTS = ".cifar10-"
CLASS_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer",
    "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
SIDE = 32
TRAIN_IMAGES, TEST_IMAGES = 50_000, 10_000


def load_cifar10_arrays(data_folder: Path) -> Arrays:
    """Read CIFAR-10 from `data_folder`, downloading it there first where it is absent.

    Raises:
        DataError: the file is damaged or not CIFAR-10, or the download failed.
    """
    path = data_folder / FILE_NAME
    if not path.exists():
        with hold(data_folder / LOCK_NAME):  # a second process waits, then finds the file
            if not path.exists():
                _download(data_folder).write(path, np.savez_compressed)
    arrays = _read(path).check(str(path))
    if (len(arrays.x_train), len(arrays.x_test)) != (TRAIN_IMAGES, TEST_IMAGES):
        raise DataError(
            f"{path} should hold {TRAIN_IMAGES} training and {TEST_IMAGES} test images, found "
            f"{len(arrays.x_train)} and {len(arrays.x_test)}: delete it to download it again."
        )
    return arrays


def _read(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as file:
            return Arrays(
                file["x_train"],
                file["y_train"],
                file["x_test"],
                file["y_test"],
                tuple(as_texts(file["class_names"])),
            )
    except NPZ_ERRORS as error:
        raise DataError(
            f"{path} can't be read ({briefly(error)}): delete it to download it again."
        ) from None


def _download(data_folder: Path) -> Arrays:
    """Fetch CIFAR-10 with torchvision, which shows progress and checks the archive's MD5."""
    from torchvision.datasets import CIFAR10  # the only use of torchvision in this package

    for leftover in data_folder.glob(f"{PARTS}*"):  # of downloads that were killed
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=PARTS, dir=data_folder) as folder:
        try:
            train: Any = CIFAR10(folder, train=True, download=True)
            test: Any = CIFAR10(folder, train=False, download=True)
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"CIFAR-10 could not be downloaded ({briefly(error)}): check the network, or put "
                f"{FILE_NAME} into the data folder, or train on --data shapes."
            ) from None
        return Arrays(
            train.data,
            np.array(train.targets, np.uint8),
            test.data,
            np.array(test.targets, np.uint8),
            CLASS_NAMES,
        ).check("The downloaded CIFAR-10")
