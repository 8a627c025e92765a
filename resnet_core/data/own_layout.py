"""From the paths in a zip or a folder to classes and splits.

Two layouts are read: `<class>/picture` and `train/<class>/picture` beside `test/<class>/picture`.
One folder around it all is tolerated; dot files and what macOS and Windows leave are passed over.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SPLITS = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "val": "validation", "valid": "validation", "validation": "validation",
}  # fmt: skip
LITTER = {"__MACOSX", "Thumbs.db", "desktop.ini"}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}


@dataclass(frozen=True)
class SourceFile:
    """A file of a zip or a folder: its path there, and how to get at it."""

    parts: tuple[str, ...]
    fetch: Callable[[], Path | bytes]
    """Gives a path to read, or the bytes; raises a LabError where there are none to be had."""

    @property
    def name(self) -> str:
        return "/".join(self.parts)


@dataclass(frozen=True)
class LeftOut:
    """A file or image that is not used, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Candidate:
    """A file that lies where a picture of a class should lie."""

    file: SourceFile
    class_name: str
    is_test: bool


@dataclass(frozen=True)
class Layout:
    """What the paths say."""

    candidates: list[Candidate]
    """By class and then by path, so that a zip and a folder of the same files agree."""
    has_split: bool
    left_out: list[LeftOut]
    notes: list[str]


def is_litter(parts: Sequence[str]) -> bool:
    return any(part.startswith(".") or part in LITTER for part in parts)


def legible(name: str) -> str:
    """A name as text: composed Unicode, and a mark for bytes that are no text at all."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))


def read_layout(files: Sequence[SourceFile]) -> Layout:
    """Sort files into classes and, where their folders say so, into training and test."""
    wrapped = _is_wrapped(files)
    tops = {_inside(file, wrapped)[0].lower() for file in files if len(_inside(file, wrapped)) > 1}
    has_split = _is_split(files, wrapped, tops)
    roles = {SPLITS[top] for top in tops} if has_split else set()
    candidates, left_out = [], []
    for file in files:
        inside = _inside(file, wrapped)
        role = SPLITS.get(inside[0].lower(), "") if has_split else ""
        folders = inside[1:-1] if has_split else inside[:-1]
        if not folders:
            left_out.append(LeftOut(legible(file.name), "It lies outside the folders of classes."))
        elif Path(file.parts[-1]).suffix.lower() in ARCHIVES:
            left_out.append(
                LeftOut(legible(file.name), "An archive within is not opened: unpack it first.")
            )
        else:
            is_test = role == "test" or (role == "validation" and "test" not in roles)
            candidates.append(Candidate(file, legible(folders[0]), is_test))
    candidates.sort(key=lambda c: (c.class_name, c.is_test, c.file.parts))
    return Layout(candidates, roles > {"train"}, left_out, _describe_roles(roles))


def _is_wrapped(files: Sequence[SourceFile]) -> bool:
    """Whether one folder holds everything, with folders of its own."""
    tops = {file.parts[0] for file in files if len(file.parts) > 1}
    return len(tops) == 1 and any(len(file.parts) > 2 for file in files)


def _inside(file: SourceFile, wrapped: bool) -> tuple[str, ...]:
    return file.parts[1:] if wrapped and len(file.parts) > 1 else file.parts


def _is_split(files: Sequence[SourceFile], wrapped: bool, tops: set[str]) -> bool:
    """Whether the folders at the top are splits, not classes that happen to be called so."""
    deep = any(len(_inside(file, wrapped)) > 2 for file in files)
    return deep and tops <= SPLITS.keys() and "train" in {SPLITS[top] for top in tops}


def _describe_roles(roles: set[str]) -> list[str]:
    if "validation" not in roles:
        return []
    if "test" in roles:
        return ["The validation folder's pictures were added to the training images."]
    return ["The validation folder's pictures are the test images."]
