"""Command lines as pages show them: typed in the project's folder, they do what the page does.

The app may have its folders elsewhere, which only its own process knows: the lines say where.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path

from export.fetch import default_weights_folder
from resnet_core.training.config import default_data_folder, default_runs_folder
from resnet_core.zoo import zoo_entries

ROOT = Path(__file__).resolve().parent.parent
RUNS, DATA, WEIGHTS = "--runs", "--data-folder", "--weights-folder"
RUNS_BY_ENVIRONMENT = "RESNET_LAB_RUNS"
"""For a command that takes the folder of runs by no option."""
IS_WINDOWS = os.name == "nt"
# Where this app has each, and where a fresh terminal in the project's folder looks for it.
_FOLDERS: dict[str, tuple[Callable[[], Path], str]] = {
    RUNS: (default_runs_folder, "runs"),
    RUNS_BY_ENVIRONMENT: (default_runs_folder, "runs"),
    DATA: (default_data_folder, "data"),
    WEIGHTS: (default_weights_folder, "data/weights"),
}


def command_line(*words: str, folders: tuple[str, ...] = ()) -> str:
    """`python -m words…`, quoted for a shell.

    Args:
        folders: by what the command takes the folders that it reads, such as RUNS.
    """
    return with_folders(shlex.join(["python", "-m", *words]), *folders)


def with_folders(command: str, *folders: str) -> str:
    """A command, told of those folders that are not where a fresh terminal looks for them."""
    parts = [command]
    for said in folders:
        find, usual = _FOLDERS[said]
        here = find().resolve()
        if here == (ROOT / usual).resolve():
            continue
        if said == RUNS_BY_ENVIRONMENT:
            parts.insert(0, _setting(said, str(here)))
        else:
            parts.append(shlex.join([said, str(here)]))
    return " ".join(parts)


def _setting(name: str, value: str) -> str:
    """What sets a variable before a command: in PowerShell, where a quote in quotes is doubled."""
    if not IS_WINDOWS:
        return f"{name}={shlex.quote(value)}"
    doubled = value.replace("'", "''")
    return f"$env:{name}='{doubled}';"


def folders_of(*models: str) -> tuple[str, ...]:
    """What `export` must be told to find these models: those that ship are found anywhere."""
    shipped = {entry.name for entry in zoo_entries()}
    return () if shipped.issuperset(models) else (RUNS_BY_ENVIRONMENT,)


def short_path(file: Path) -> str:
    """As short as a terminal in the project's folder finds it."""
    return str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file)
