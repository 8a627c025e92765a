"""Deleting an imported model, and bringing the last deleted one back."""

from __future__ import annotations

import shutil
from pathlib import Path

from resnet_core.errors import ModelError
from resnet_core.zoo import IMPORTED, ZooEntry, imported_entries

DELETED = ".deleted"
"""The folder, beside the imported models, of the one that was deleted last."""


def imported_named(name: str, runs: Path) -> ZooEntry:
    """An imported model by its name alone.

    Raises:
        ModelError: there is none; the names there are.
    """
    entries = {entry.name: entry for entry in imported_entries(runs)}
    if name not in entries:
        raise ModelError(
            f"There is no imported model '{name}': there are {', '.join(entries) or 'none'}."
        )
    return entries[name]


def size_megabytes(entry: ZooEntry) -> float:
    """Of all files in a model's folder, in MB of 10⁶ bytes."""
    return sum(path.stat().st_size for path in entry.folder.rglob("*") if path.is_file()) / 1e6


def what_goes(entry: ZooEntry) -> str:
    """What deleting this model deletes, in words."""
    return f"{entry.name} ({entry.card['imported']['source']}, {size_megabytes(entry):.1f} MB)"


def delete_imported(name: str, runs: Path) -> None:
    """Put an imported model aside; the one that lay aside before is gone for good.

    Raises:
        ModelError: there is no imported model of that name.
    """
    entry = imported_named(name, runs)
    aside = runs / IMPORTED / DELETED
    if aside.exists():
        # Renamed first: a kill must not leave half a model that could be brought back.
        doomed = aside.with_name(f"{DELETED}-for-good")
        shutil.rmtree(doomed, ignore_errors=True)
        aside.rename(doomed)
        shutil.rmtree(doomed)
    aside.mkdir()
    entry.folder.rename(aside / name)


def deleted_last(runs: Path) -> str | None:
    """The name of the model that can be brought back; None where there is none."""
    aside = runs / IMPORTED / DELETED
    names = [card.parent.name for card in aside.glob("*/card.json")]
    return names[0] if names else None


def bring_back(runs: Path) -> str:
    """Undo the last deletion; gives the model's name.

    Raises:
        ModelError: nothing was deleted, or another model has its name by now.
    """
    name = deleted_last(runs)
    if name is None:
        raise ModelError("No deleted model is left to bring back: import its file again.")
    place = runs / IMPORTED / name
    if place.exists():
        raise ModelError(f"There is a model named '{name}' again: delete that one first.")
    (runs / IMPORTED / DELETED / name).rename(place)
    shutil.rmtree(runs / IMPORTED / DELETED, ignore_errors=True)
    return name
