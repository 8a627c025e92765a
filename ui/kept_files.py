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

KEPT_SECONDS = 86_400
VARIABLE = "GRADIO_TEMP_DIR"
MOST_REMEMBERED = 64
_made: dict[Hashable, list[str]] = {}
_making = Lock()


def keep_in(runs: Path) -> None:
    """Let Gradio keep files beside the runs, unless another place is set.

    Its own place is one folder for all apps and all people of the machine. It deletes only what
    it has made since it was started: what an app that was killed left goes here.
    """
    folder = Path(os.environ.setdefault(VARIABLE, str(runs / "uploads")))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
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
