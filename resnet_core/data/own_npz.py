"""Arrays in the layout of Keras's data sets: `x_train`, `y_train`, `x_test`, `y_test` in an `.npz`.

x: uint8 (N, H, W, 3), or grey (N, H, W) or (N, H, W, 1); y: whole numbers, (N,) or (N, 1).
`class_names` is read where it is there, a missing test split is split off later. Each array's
header is judged before a byte of it is loaded, and nothing pickled is ever opened.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet_core.data.own_archive import Archive
from resnet_core.data.own_layout import legible
from resnet_core.data.own_split import MAX_IMAGE_BYTES, SIDES, Gathered
from resnet_core.data.source import NPZ_ERRORS, as_texts
from resnet_core.errors import DataError, briefly

MAX_CLASSES = 65_536
MAX_SMALL_BYTES = 256 * 2**20
"""Labels and class names: room for 32 million images."""


def read_npz(path: Path) -> Gathered:
    """Read own images from arrays; they keep their size.

    Raises:
        DataError: an array is missing, of another kind or shape, too large, pickled or damaged.
    """
    with Archive(path) as archive:
        train, test = _read_split(archive, "train"), _read_split(archive, "test")
        names = _read(archive, "class_names", MAX_SMALL_BYTES)
    if train is None:
        raise DataError(
            f"{path.name} lacks x_train and y_train: Keras's layout has these two, and x_test and "
            "y_test where there is a test split."
        )
    images, labels = train
    n_train, has_test = len(labels), test is not None and len(test[1]) > 0
    if test is not None and has_test:
        if test[0].shape[1:] != images.shape[1:]:
            raise DataError(f"{path.name} should have training and test images of the same size.")
        images, labels = np.concatenate([images, test[0]]), np.concatenate([labels, test[1]])
    return Gathered(
        images=images,
        labels=labels,
        class_names=_class_names(path, names, labels),
        is_test=np.arange(len(labels)) >= n_train if has_test else None,
        name_of=lambda i: f"x_train[{i}]" if i < n_train else f"x_test[{i - n_train}]",
    )


def _read_split(archive: Archive, split: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]] | None:
    images, labels = _read_images(archive, f"x_{split}"), _read_labels(archive, f"y_{split}")
    if images is None and labels is None:
        return None
    if images is None or labels is None or len(images) != len(labels):
        raise DataError(
            f"{archive.path.name} should have one label for each image: as many in y_{split} as "
            f"there are images in x_{split}."
        )
    return images, labels


def _read_images(archive: Archive, key: str) -> NDArray[np.uint8] | None:
    """(N, S, S, 3) uint8; grey is repeated for each colour."""
    images = _read(archive, key, MAX_IMAGE_BYTES)
    if images is None:
        return None
    if images.ndim == 4 and images.shape[-1] == 1:
        images = images[..., 0]
    if images.ndim == 3 and 3 * images.nbytes <= MAX_IMAGE_BYTES:
        images = np.repeat(images[..., None], 3, axis=-1)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise DataError(
            f"{key} should be uint8 (N, H, W, 3) or grey (N, H, W), found {images.dtype} "
            f"{images.shape}."
        )
    height, width = images.shape[1:3]
    if height != width or height not in SIDES:
        raise DataError(
            f"{key} has images of {height} x {width} pixels: they should be square, with sides "
            f"of {SIDES[0]} to {SIDES[-1]}."
        )
    return images


def _read_labels(archive: Archive, key: str) -> NDArray[np.int64] | None:
    labels = _read(archive, key, MAX_SMALL_BYTES)
    if labels is None:
        return None
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "ui" or labels.ndim != 1:
        raise DataError(
            f"{key} should be whole numbers, one an image, found {labels.dtype} {labels.shape}."
        )
    if len(labels) and not (labels.min() >= 0 and labels.max() < MAX_CLASSES):
        raise DataError(
            f"{key} holds labels from {labels.min()} to {labels.max()}: classes are numbered from "
            f"0, to {MAX_CLASSES - 1:,} at the most."
        )
    return labels.astype(np.int64)


def _read(archive: Archive, key: str, most_bytes: int) -> NDArray[Any] | None:
    """One array, None where there is none of that name; refused before loading if too large."""
    origin = f"{key} in {archive.path.name}"
    try:
        member = archive.open(f"{key}.npy")
        if member is None:
            return None
        with member:
            shape, dtype = read_header(member)
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject:
            raise DataError(
                f"{origin} holds pickled objects, which are never opened: save plain arrays."
            )
        if size > most_bytes or any(side < 0 for side in shape):
            raise DataError(
                f"{origin} claims {size / 2**30:,.1f} GB, more than the "
                f"{most_bytes / 2**30:.2g} GB allowed: use fewer or smaller images."
            )
        member = archive.open(f"{key}.npy")
        assert member is not None
        with member:
            return np.lib.format.read_array(member, allow_pickle=False)
    except NPZ_ERRORS as error:
        raise DataError(f"{origin} is damaged ({briefly(error)}): save it again.") from None


def read_header(member: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the array in an open `.npy`; the stream stands at its data afterwards.

    Raises:
        ValueError: not an array.
    """
    version = np.lib.format.read_magic(member)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(member)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(member)
    return shape, dtype


def _texts(path: Path, names: NDArray[Any]) -> list[str]:
    try:
        return as_texts(names)
    except ValueError as error:
        raise DataError(f"class_names in {path.name} is damaged ({briefly(error)}).") from None


def _class_names(
    path: Path, names: NDArray[Any] | None, labels: NDArray[np.int64]
) -> tuple[str, ...]:
    needed = int(labels.max(initial=-1)) + 1
    if names is None:
        return tuple(str(number) for number in range(needed))
    if names.ndim != 1 or names.dtype.kind not in "US" or len(names) < needed:
        raise DataError(
            f"class_names in {path.name} should be text, one for each of {needed} classes, found "
            f"{names.dtype} {names.shape}."
        )
    if names.dtype.kind == "S":
        texts = [name.decode("utf-8", "replace") for name in names.tolist()]
    else:
        texts = _texts(path, names)
    if len(set(texts)) < len(texts):
        raise DataError(f"class_names in {path.name} has a name twice: each class needs its own.")
    return tuple(legible(text) for text in texts)
