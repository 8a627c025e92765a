"""Which files there are to classify, in an order that stays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from resnet_core.data.own_layout import is_litter
from resnet_core.errors import PictureError


def find_files(sources: Sequence[Path], left_out: Path) -> list[Path]:
    """The files named, and every file within the folders named, each once.

    What is no picture is found too, to be listed as such; hidden files and what systems leave
    behind are passed over. A folder that can't be opened stands for what is in it.

    Args:
        left_out: the table that is being written, which may lie among the pictures.

    Returns:
        In the order of the sources; in a folder its files by name, then its folders by name.

    Raises:
        PictureError: a source does not exist, or there is no file at all.
    """
    found: dict[Path, None] = {}
    for source in sources:
        if not source.exists():
            raise PictureError(f"There is nothing at {source}: check the path.")
        found |= dict.fromkeys(_walk(source) if source.is_dir() else [source])
    files = [path for path in found if not _is_same(path, left_out)]
    if not files:
        raise PictureError(f"There is no file in {sources[0]}: name a folder with pictures.")
    return files


def _walk(folder: Path) -> Iterator[Path]:
    closed: list[Path] = []
    for place, folders, names in os.walk(
        folder, onerror=lambda error: closed.append(Path(error.filename))
    ):
        yield from _emptied(closed)
        folders[:] = sorted(name for name in folders if not is_litter([name]))
        paths = (Path(place, name) for name in sorted(names) if not is_litter([name]))
        yield from (path for path in paths if path.is_file() or path.is_symlink())
    yield from _emptied(closed)


def _emptied(paths: list[Path]) -> Iterator[Path]:
    while paths:
        yield paths.pop()


def _is_same(path: Path, other: Path) -> bool:
    return path.name == other.name and path.resolve() == other.resolve()
