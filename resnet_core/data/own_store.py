"""Prepared sets of own images on disk: `<data folder>/own/<name>.npz`. No torch: pages read them.

Keys: `x_train`, `y_train`, `x_test`, `y_test`, `class_names` as in Keras's layout, and `report`,
JSON text. Stored unpacked, so that a few images can be shown without reading all.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resnet_core.data.own_layout import LeftOut
from resnet_core.data.own_npz import read_header
from resnet_core.data.source import NPZ_ERRORS, Arrays, as_texts
from resnet_core.errors import ConfigError, DataError, briefly

PREFIX = "own/"


@dataclass(frozen=True)
class ClassCount:
    """A class and how many images it has."""

    name: str
    train: int
    test: int


@dataclass(frozen=True)
class Report:
    """How a set came to be: what was taken, what was left out and why."""

    source: str
    """Name of the zip, folder or file; its path is nobody's business."""
    image_size: int
    """Height and width, in pixels."""
    seed: int
    test_share: float | None
    """Share of each class that was split off for the test; None where the source had a split."""
    classes: tuple[ClassCount, ...]
    left_out: tuple[LeftOut, ...]
    """The first of them."""
    left_out_total: int
    duplicates: int
    """Images whose pixels are exactly those of an earlier one."""
    notes: tuple[str, ...]

    @property
    def train_images(self) -> int:
        return sum(c.train for c in self.classes)

    @property
    def test_images(self) -> int:
        return sum(c.test for c in self.classes)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Report:
        return cls(
            **{
                **values,
                "classes": tuple(ClassCount(**c) for c in values["classes"]),
                "left_out": tuple(LeftOut(**item) for item in values["left_out"]),
                "notes": tuple(values["notes"]),
            }
        )


@dataclass(frozen=True)
class PreparedImages:
    """A prepared set: the name to train by, its file and its report."""

    name: str
    file: Path
    report: Report

    @property
    def class_names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.report.classes)


def own_names(data_folder: Path) -> list[str]:
    """The names of all prepared sets, such as own/pets-1a2b3c4d."""
    folder = data_folder / "own"
    names = [PREFIX + path.stem for path in folder.glob("*.npz") if not path.name.startswith(".")]
    return sorted(names)


def own_file(name: str, data_folder: Path) -> Path:
    """Where the set of that name lies, or would lie.

    Raises:
        ConfigError: not a name of ours, with those there are.
    """
    if not re.fullmatch(PREFIX + r"[a-z0-9][a-z0-9-]*", name):
        raise ConfigError(_no_such_set(name, data_folder))
    return data_folder / f"{name}.npz"


def store(name: str, data_folder: Path, arrays: Arrays, report: Report) -> PreparedImages:
    """Write a set in one step."""
    text = json.dumps(report.to_dict(), allow_nan=False)
    path = own_file(name, data_folder)
    arrays.write(path, report=np.array(text))
    return PreparedImages(name, path, report)


def find_prepared(name: str, data_folder: Path) -> PreparedImages:
    """A prepared set by name; only its report is read.

    Raises:
        ConfigError: there is none of that name, with those there are.
        DataError: its file is damaged.
    """
    path = own_file(name, data_folder)
    try:
        with np.load(path, allow_pickle=False) as file:
            report = Report.from_dict(json.loads("".join(as_texts(file["report"]))))
    except FileNotFoundError:
        raise ConfigError(_no_such_set(name, data_folder)) from None
    except NPZ_ERRORS as error:
        raise DataError(_damaged(path, error)) from None
    return PreparedImages(name, path, report)


def load_own_arrays(name: str, data_folder: Path) -> Arrays:
    """All images of a prepared set.

    Raises:
        ConfigError: there is none of that name.
        DataError: its file is damaged.
    """
    prepared = find_prepared(name, data_folder)
    try:
        with np.load(prepared.file, allow_pickle=False) as file:
            arrays = Arrays(
                file["x_train"],
                file["y_train"],
                file["x_test"],
                file["y_test"],
                prepared.class_names,
            )
    except NPZ_ERRORS as error:
        raise DataError(_damaged(prepared.file, error)) from None
    return arrays.check(str(prepared.file))


def read_train_labels(prepared: PreparedImages) -> NDArray[Any]:
    with np.load(prepared.file, allow_pickle=False) as file:
        return file["y_train"]


def read_train_images(prepared: PreparedImages, rows: Sequence[int]) -> NDArray[np.uint8]:
    """Some training images (len(rows), S, S, 3), the others not loaded; rows in rising order."""
    with zipfile.ZipFile(prepared.file) as archive, archive.open("x_train.npy") as member:
        shape, _ = read_header(member)
        start, size = member.tell(), int(np.prod(shape[1:]))
        images = np.empty((len(rows), *shape[1:]), np.uint8)
        for place, row in enumerate(rows):
            member.seek(start + row * size)
            images[place] = np.frombuffer(member.read(size), np.uint8).reshape(shape[1:])
    return images


def _no_such_set(name: str, data_folder: Path) -> str:
    known = ", ".join(own_names(data_folder)) or "none yet"
    return (
        f"There is no set of own images named '{name}': there are {known}. "
        "Prepare one with `python -m resnet_core images SOURCE`."
    )


def _damaged(path: Path, error: Exception) -> str:
    return f"{path} can't be read ({briefly(error)}): delete it and prepare the images again."
