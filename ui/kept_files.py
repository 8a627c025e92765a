"""Where pictures that were dropped and files made for a download lie, and how long."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import time

from gradio.utils import get_upload_folder

from resnet_core.errors import ConfigError

KEPT_SECONDS = 86_400
FOLDER = "resnet-lab-uploads"
VARIABLE = "GRADIO_TEMP_DIR"
MOST_REMEMBERED = 64
_made: dict[Hashable, list[str]] = {}
_making = Lock()


def keep_in(runs: Path) -> None:
    """Let Gradio keep files in a folder of our own: beside the runs, or in a place that was set.

    Gradio's own place is one folder for all apps and all people of the machine, and so may be the
    place set: nothing but the folder made here is swept. Gradio deletes only what it has made since
    it was started: what an app that was killed left goes here.

    Raises:
        ConfigError: it can't be made, or something that is no folder has its name.
    """
    place = os.environ.get(VARIABLE)
    folder = _own_folder(place or str(runs))
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        other = (
            f"set ${VARIABLE} to another place" if place else "choose another folder with --runs"
        )
        raise ConfigError(f"{folder} can't be made ({error.strerror}): {other}.") from None
    if folder.is_symlink() or not folder.is_dir():  # a link may lead to anybody's files
        raise ConfigError(
            f"{folder} should be a folder of the app's own, not a link or a file: move it away, "
            f"or set ${VARIABLE} to another place."
        )
    os.environ[VARIABLE] = str(folder)
    _sweep(folder)


def _own_folder(place: str) -> Path:
    """The folder in a place; the place itself where an app of this process has set it before."""
    # In a shared place each person has one. Windows, which has no such numbers, shares none.
    name = f"{FOLDER}-{os.getuid()}" if hasattr(os, "getuid") else FOLDER
    return Path(place) if Path(place).name == name else Path(place) / name


def _sweep(folder: Path) -> None:
    """Delete what has lain there for too long."""
    for file in folder.rglob("*"):
        with suppress(OSError):  # another app on these runs may delete it as well
            if file.is_file() and time() - file.stat().st_ctime > KEPT_SECONDS:
                file.unlink()
    for left in folder.iterdir():
        with suppress(OSError):  # not empty
            left.rmdir()


def write_downloads(files: Mapping[str, str | bytes]) -> list[str]:
    """Write each text or bytes under its name, and give the paths in the same order."""
    folder = _new_folder()
    for name, content in files.items():
        data = content.encode("utf-8") if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in files]


def write_once(state: Hashable, make: Callable[[], Mapping[str, str | bytes]]) -> list[str]:
    """The same for what is shown again and again: written once for each state of it.

    Args:
        state: tells one content from another.
        make: the files by name, asked for where there are none of this state.
    """
    return _once(state, lambda: write_downloads(make()))


def lend(file: Path) -> str:
    """A file from anywhere, at a path that Gradio hands out: it refuses those outside its folders.

    Raises:
        OSError: it is gone, or there is no room.
    """
    facts = file.stat()
    return _once((file, facts.st_mtime_ns, facts.st_size), lambda: [_copy(file)])[0]


def _once(state: Hashable, make: Callable[[], list[str]]) -> list[str]:
    with _making:
        paths = _made.pop(state, [])
        if not paths or not all(Path(path).is_file() for path in paths):  # cleared away meanwhile
            paths = make()
        _made[state] = paths
        while len(_made) > MOST_REMEMBERED:
            del _made[next(iter(_made))]
        return paths


def _copy(file: Path) -> str:
    target = _new_folder() / file.name
    try:
        os.link(file, target)  # takes no room; files are replaced here, never changed
    except OSError:  # another disk, or one without links
        shutil.copyfile(file, target)
    return str(target)


def _new_folder() -> Path:
    kept = Path(get_upload_folder())
    kept.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix="made-", dir=kept))
