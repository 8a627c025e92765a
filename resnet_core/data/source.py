"""The arrays every source of images delivers, and the check that they are what they claim."""

from __future__ import annotations

import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet_core.errors import DataError
from resnet_core.files import replace_file

# What reading a damaged `.npz` raises, from the zip around it to the header of an array.
NPZ_ERRORS = (
    OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, EOFError,
    RuntimeError, SyntaxError, MemoryError, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip


def as_texts(array: NDArray) -> list[str]:
    """The strings of an array of them, in order.

    Raises:
        ValueError: it holds something else, or numbers that are no characters: numpy would make
            strings of those that break Python itself.
    """
    if not isinstance(array, np.ndarray) or array.dtype.kind != "U":
        raise ValueError("it holds no text")
    flat = np.ascontiguousarray(array).reshape(-1)
    plain = flat.astype(flat.dtype.newbyteorder("="))
    if plain.size and int(plain.view(np.uint32).max(initial=0)) > sys.maxunicode:
        raise ValueError("its text holds numbers that are no characters")
    return [str(text) for text in plain.tolist()]


@dataclass(frozen=True)
class Arrays:
    """x: uint8 RGB (N, H, W, 3); y: class index (N,), uint8 or wider, for training and test."""

    x_train: NDArray[np.uint8]
    y_train: NDArray[np.integer]
    x_test: NDArray[np.uint8]
    y_test: NDArray[np.integer]
    class_names: tuple[str, ...]

    def check(self, origin: str) -> Arrays:
        """Return self if shapes, types and labels fit together.

        Raises:
            DataError: naming `origin` and everything that does not fit.
        """
        problems = [
            *_problems_of("train", self.x_train, self.y_train, len(self.class_names)),
            *_problems_of("test", self.x_test, self.y_test, len(self.class_names)),
        ]
        if problems:
            raise DataError(f"{origin} is not a data set this app can use: {'; '.join(problems)}.")
        return self

    def write(self, path: Path, save: Callable[..., None] = np.savez, **others: NDArray) -> None:
        """Write an `.npz` in one step.

        Args:
            save: numpy.savez, or numpy.savez_compressed.
            others: arrays to store beside these.
        """

        def write(temporary: Path) -> None:
            with open(temporary, "wb") as file:
                save(
                    file,
                    x_train=self.x_train,
                    y_train=self.y_train,
                    x_test=self.x_test,
                    y_test=self.y_test,
                    class_names=np.array(self.class_names),
                    **others,
                )

        replace_file(path, write)


def _problems_of(split: str, x: NDArray, y: NDArray, classes: int) -> list[str]:
    if not isinstance(x, np.ndarray) or not isinstance(y, np.ndarray):
        return [f"x_{split} and y_{split} should be arrays"]
    problems = []
    if x.dtype != np.uint8 or x.ndim != 4 or x.shape[-1] != 3:
        problems.append(f"x_{split} should be uint8 (N, H, W, 3), found {x.dtype} {x.shape}")
    if y.shape != x.shape[:1]:
        problems.append(f"y_{split} should have one label an image, found shape {y.shape}")
    elif y.dtype.kind not in "ui":
        problems.append(f"y_{split} should be whole numbers, found {y.dtype}")
    elif len(y) and not 0 <= int(y.min()) <= int(y.max()) < classes:
        wrong = int(y.max()) if int(y.max()) >= classes else int(y.min())
        problems.append(f"y_{split} holds label {wrong}, but there are {classes} classes")
    return problems
