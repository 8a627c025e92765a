"""A person's own pictures made into a data set: from a zip, a folder of classes, or arrays.

Each picture goes through the same door as one to be classified. What can't be read is listed and
left out; what could do harm is refused. The same source and options give the same set, once.
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import file_digest, sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet_core.data.own_archive import MAX_FILES, Archive
from resnet_core.data.own_layout import (
    Candidate,
    Layout,
    LeftOut,
    SourceFile,
    is_litter,
    legible,
    read_layout,
)
from resnet_core.data.own_npz import read_npz
from resnet_core.data.own_split import MAX_IMAGE_BYTES, SIDES, Divided, Gathered, divide
from resnet_core.data.own_store import (
    PREFIX,
    ClassCount,
    PreparedImages,
    Report,
    find_prepared,
    own_file,
    read_train_images,
    read_train_labels,
    store,
)
from resnet_core.errors import ConfigError, DataError, PictureError
from resnet_core.files import sha256_of
from resnet_core.pictures import MAX_FILE_BYTES, read_picture, to_input

Progress = Callable[[int, int], None]
"""Called with the pictures done and all there are."""

# Part of every digest: another way of preparing must not find the sets of this one.
METHOD = "own-images-1"
MAX_LISTED = 200
DEFAULT_SIZE = 32
"""Height and width, in pixels: CIFAR-10's."""
# Each may hold one decoded picture of a hundred megapixels.
THREADS = min(4, os.cpu_count() or 1)
PICTURES_A_ROUND = 256


def prepare_images(
    source: Path,
    data_folder: Path,
    image_size: int = DEFAULT_SIZE,
    test_share: float = 0.2,
    seed: int = 0,
    progress: Progress | None = None,
) -> PreparedImages:
    """Make a data set of own pictures and store it under `data_folder`, or find it there.

    Args:
        source: a folder of class folders, a zip of one, or an `.npz` in Keras's layout.
        image_size: height and width of the images, in pixels; arrays keep theirs.
        test_share: share of each class for the test, where the source has no test split.
        seed: chooses the test images.

    Raises:
        ConfigError: an option that makes no sense.
        DataError: the source can't be used or is not safe to read.
    """
    _check_options(image_size, test_share)
    is_arrays = source.suffix.lower() == ".npz"
    options = [METHOD, None if is_arrays else image_size, test_share, seed, _digest(source)]
    digest = sha256(json.dumps(options).encode()).hexdigest()[:8]
    name = f"{PREFIX}{_slug(source)}-{digest}"
    if own_file(name, data_folder).exists():
        try:
            return find_prepared(name, data_folder)
        except DataError:  # a damaged file is made anew
            pass
    gathered = read_npz(source) if is_arrays else _gather(source, image_size, progress)
    divided = divide(gathered, test_share, seed)
    share = test_share if gathered.is_test is None else None
    return store(name, data_folder, divided.arrays, _report(source, divided, share, seed))


def sample_thumbnails(prepared: PreparedImages, per_class: int = 6) -> dict[str, NDArray[np.uint8]]:
    """Training images of each class, (up to per_class, S, S, 3) uint8, evenly from first to last."""
    labels = read_train_labels(prepared)
    chosen = [_spread(np.flatnonzero(labels == i), per_class) for i in np.unique(labels)]
    rows = np.unique(np.concatenate(chosen))
    images = read_train_images(prepared, rows.tolist())
    return {
        name: images[np.searchsorted(rows, chosen[i])]
        for i, name in enumerate(prepared.class_names)
    }


def _spread(members: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    places = np.linspace(0, len(members) - 1, min(count, len(members))).round()
    return members[places.astype(int)]


def _check_options(image_size: int, test_share: float) -> None:
    problems = []
    if image_size not in SIDES:
        problems.append(f"Images can be {SIDES[0]} to {SIDES[-1]} pixels wide, not {image_size}.")
    if not 0 < test_share < 1:
        problems.append(f"The test share should be between 0 and 1, not {test_share:g}.")
    if problems:
        raise ConfigError(problems)


def _slug(source: Path) -> str:
    """The source's name in letters that are safe in any file name and command line."""
    plain = unicodedata.normalize("NFKD", source.resolve().stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:40].strip("-") or "images"


def _digest(source: Path) -> str:
    """Of the source's content, so that a change is seen and a copy elsewhere is not one.

    Raises:
        DataError: there is nothing there, or nothing of use.
    """
    try:
        if source.is_dir():
            return _digest_folder(source)
        found = sha256_of(source)
    except FileNotFoundError:
        raise DataError(f"There is nothing at {source}: check the path.") from None
    except OSError as error:
        raise DataError(f"{source} can't be read ({error.strerror}).") from None
    if not zipfile.is_zipfile(source):
        raise DataError(
            f"{source.name} is neither a folder of class folders nor a zip of one nor an .npz."
        )
    return found


def _digest_folder(folder: Path) -> str:
    total = sha256()
    for file in _list_folder(folder):
        path = folder.joinpath(*file.parts)
        total.update(json.dumps(file.parts).encode())
        try:
            # Larger ones are refused as pictures: their size says enough.
            if path.stat().st_size <= MAX_FILE_BYTES:
                with open(path, "rb") as opened:
                    total.update(file_digest(opened, "sha256").digest())
        except OSError:  # it will be listed as unreadable
            continue
    return total.hexdigest()


def _list_folder(folder: Path) -> list[SourceFile]:
    """Its regular files, links to folders not followed, litter left out, in a fixed order."""
    files: list[SourceFile] = []
    for path in _walk(folder):
        if len(files) == MAX_FILES:
            raise DataError(f"{folder.name} has more than {MAX_FILES:,} files: use fewer pictures.")
        parts = path.relative_to(folder).parts
        files.append(SourceFile(parts, lambda path=path: path))  # type: ignore[misc]
    return sorted(files, key=lambda file: file.parts)


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not is_litter([name])]
        for name in names:
            path = Path(here, name)
            if not is_litter([name]) and path.is_file():  # a pipe would be waited on for ever
                yield path


def _gather(source: Path, image_size: int, progress: Progress | None) -> Gathered:
    if source.is_dir():
        return _decode(read_layout(_list_folder(source)), image_size, progress)
    with Archive(source) as archive:
        archive.check()
        return _decode(read_layout(archive.files()), image_size, progress)


def _decode(layout: Layout, image_size: int, progress: Progress | None) -> Gathered:
    """Decode every candidate; those that can't be are listed."""
    candidates = layout.candidates
    needed = len(candidates) * image_size**2 * 3
    if needed > MAX_IMAGE_BYTES:
        raise DataError(
            f"{len(candidates):,} pictures of {image_size} x {image_size} pixels take "
            f"{needed / 2**30:.1f} GB, more than the {MAX_IMAGE_BYTES // 2**30} GB allowed: "
            "choose a smaller image size or fewer pictures."
        )
    images = np.empty((len(candidates), image_size, image_size, 3), np.uint8)
    reasons = _decode_all(candidates, images, progress)
    good = [i for i, reason in enumerate(reasons) if reason is None]
    kept = [candidates[i] for i in good]
    class_names = tuple(sorted({c.class_name for c in kept}))
    number = {name: i for i, name in enumerate(class_names)}
    bad = [
        LeftOut(legible(c.file.name), reason)
        for c, reason in zip(candidates, reasons, strict=True)
        if reason is not None
    ]
    return Gathered(
        images=images[good],
        labels=np.array([number[c.class_name] for c in kept], np.int64),
        class_names=class_names,
        is_test=np.array([c.is_test for c in kept], bool) if layout.has_split else None,
        name_of=lambda i: legible(kept[i].file.name),
        left_out=[*bad, *layout.left_out],
        notes=layout.notes,
    )


def _decode_all(
    candidates: list[Candidate], images: NDArray[np.uint8], progress: Progress | None
) -> list[str | None]:
    """Fill `images`; returns for each why it can't be read, None where it can."""

    def decode(i: int) -> str | None:
        try:
            picture = read_picture(candidates[i].file.fetch())
            images[i] = to_input(picture.image, images.shape[1])
        except PictureError as error:
            return str(error)
        except OSError as error:
            return f"It can't be read ({error.strerror})."
        return None

    reasons: list[str | None] = []
    with ThreadPoolExecutor(THREADS) as pool:
        # In rounds, so that an interrupt or a refusal waits for one round and not for all.
        for start in range(0, len(candidates), PICTURES_A_ROUND):
            round_ = range(start, min(start + PICTURES_A_ROUND, len(candidates)))
            for reason in pool.map(decode, round_):
                reasons.append(reason)
                if progress:
                    progress(len(reasons), len(candidates))
    return reasons


def _report(source: Path, divided: Divided, test_share: float | None, seed: int) -> Report:
    arrays = divided.arrays
    n = len(arrays.class_names)
    train, test = (np.bincount(y, minlength=n).tolist() for y in (arrays.y_train, arrays.y_test))
    return Report(
        source=legible(source.resolve().name),
        image_size=arrays.x_train.shape[1],
        seed=seed,
        test_share=test_share,
        classes=tuple(map(ClassCount, arrays.class_names, train, test)),
        left_out=tuple(divided.left_out[:MAX_LISTED]),
        left_out_total=len(divided.left_out),
        duplicates=divided.duplicates,
        notes=tuple(divided.notes),
    )
