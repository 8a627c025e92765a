"""Dividing own images into training and test: by class, by seed, no picture on both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from resnet_core.data.own_layout import LeftOut
from resnet_core.data.source import Arrays
from resnet_core.errors import DataError

SIDES = range(8, 513)
"""Heights and widths, in pixels, that images may have."""
MAX_IMAGE_BYTES = 4 * 2**30
"""Of all images together, as uint8: 1.4 million of 32 x 32 pixels, 28,000 of 224 x 224."""
FEWEST_A_CLASS = 2


@dataclass(frozen=True)
class Gathered:
    """What a source held, before it is divided."""

    images: NDArray[np.uint8]
    """(N, S, S, 3)."""
    labels: NDArray[np.int64]
    """(N,), each an index into `class_names`."""
    class_names: tuple[str, ...]
    is_test: NDArray[np.bool_] | None
    """(N,); None where the source has no split of its own."""
    name_of: Callable[[int], str]
    """What to call the image at an index."""
    left_out: list[LeftOut] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Divided:
    """Images divided, and what had to be said about it."""

    arrays: Arrays
    left_out: list[LeftOut]
    duplicates: int
    """Images whose pixels are exactly those of an earlier one."""
    notes: list[str]


def divide(gathered: Gathered, test_share: float, seed: int) -> Divided:
    """Divide into training and test images; a split that the source has is kept.

    A picture that is there twice, to the pixel, is for training; a given test split loses its
    copies. Otherwise each class gives `test_share` of its images to the test split, one at the
    least, chosen by seed and pixels alone: names and order have no part in it.

    Raises:
        DataError: fewer than two classes with two images, or nothing to test on.
    """
    digests = [blake2b(image.tobytes(), digest_size=16).digest() for image in gathered.images]
    if gathered.is_test is None:
        is_test = _choose_test(gathered.labels, digests, test_share, seed)
        straddling = np.zeros_like(is_test)
    else:
        is_test = gathered.is_test
        in_training = {d for d, test in zip(digests, is_test, strict=True) if not test}
        straddling = is_test & np.array([d in in_training for d in digests], bool)
    classes = _usable_classes(gathered, is_test, ~straddling)
    in_class = np.isin(gathered.labels, classes)
    arrays = _arrays(gathered, classes, is_test, in_class & ~straddling)
    if not len(arrays.y_test):
        raise DataError(
            "No picture is left to test on, for all are copies of training images: add others."
        )
    left_out = [
        *gathered.left_out,
        *_list(gathered, straddling, "The same picture is among the training images."),
        *_list(gathered, ~in_class & ~straddling, _class_too_small()),
    ]
    return Divided(
        arrays, left_out, len(digests) - len(set(digests)), _notes(gathered, digests, arrays)
    )


def _choose_test(
    labels: NDArray[np.int64], digests: Sequence[bytes], share: float, seed: int
) -> NDArray[np.bool_]:
    key = str(seed).encode()
    rank = [blake2b(digest, key=key).digest() for digest in digests]
    copies = Counter(digests)
    is_test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        wanted = min(max(1, round(share * len(members))), len(members) - 1)
        unique = [i for i in members.tolist() if copies[digests[i]] == 1]
        is_test[sorted(unique, key=lambda i: rank[i])[:wanted]] = True
    return is_test


def _usable_classes(
    gathered: Gathered, is_test: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> list[int]:
    """The classes with enough images, some of them to train on, in order."""
    n = len(gathered.class_names)
    counts = np.bincount(gathered.labels[kept], minlength=n)
    to_train_on = np.bincount(gathered.labels[kept & ~is_test], minlength=n)
    usable = np.flatnonzero((counts >= FEWEST_A_CLASS) & (to_train_on > 0)).tolist()
    if len(usable) < 2:
        found = [gathered.class_names[i] for i in np.flatnonzero(counts)][:10]
        raise DataError(
            f"Training needs at least 2 classes with {FEWEST_A_CLASS} pictures each that can be "
            f"read, found {len(usable)}: put each class's pictures into a folder of its own "
            f"(classes with pictures: {', '.join(found) or 'none'})."
        )
    return usable


def _arrays(
    gathered: Gathered, classes: list[int], is_test: NDArray[np.bool_], kept: NDArray[np.bool_]
) -> Arrays:
    places = np.searchsorted(classes, gathered.labels)
    labels: NDArray[np.integer] = places.astype(np.uint8 if len(classes) <= 256 else np.uint16)
    train, test = kept & ~is_test, kept & is_test
    return Arrays(
        gathered.images[train],
        labels[train],
        gathered.images[test],
        labels[test],
        tuple(gathered.class_names[i] for i in classes),
    ).check("What was gathered")


def _list(gathered: Gathered, chosen: NDArray[np.bool_], reason: str) -> list[LeftOut]:
    return [LeftOut(gathered.name_of(int(i)), reason) for i in np.flatnonzero(chosen)]


def _class_too_small() -> str:
    return (
        f"Its class has fewer than {FEWEST_A_CLASS} pictures that can be read, or none to train on."
    )


def _notes(gathered: Gathered, digests: Sequence[bytes], arrays: Arrays) -> list[str]:
    notes = list(gathered.notes)
    labelled = set(zip(digests, gathered.labels.tolist(), strict=True))
    torn = sum(count > 1 for count in Counter(digest for digest, _ in labelled).values())
    if torn:
        notes.append(
            f"Pictures that lie in more than one class, which no net can get right: {torn:,}."
        )
    untested = set(range(len(arrays.class_names))) - set(arrays.y_test.tolist())
    if untested:
        names = ", ".join(arrays.class_names[i] for i in sorted(untested))
        notes.append(f"No test images for {names}: the test error says nothing about them.")
    return notes
