"""Where pictures that were dropped and files made for a download lie, and how long."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from time import time

from gradio.utils import get_upload_folder

KEPT_SECONDS = 86_400
VARIABLE = "GRADIO_TEMP_DIR"


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
    kept = Path(get_upload_folder())
    kept.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="made-", dir=kept))
    for name, content in files.items():
        data = content.encode("utf-8") if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in files]
