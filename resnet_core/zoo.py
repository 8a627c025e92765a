"""The models that ship, and where they are. No torch here: the app lists them at start.

`zoo/<name>/`: `model.safetensors`, `model.onnx`, `card.json`, `history.csv`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_core.errors import ModelError
from resnet_core.files import read_json

ZOO_FOLDER = Path(__file__).resolve().parent.parent / "zoo"


@dataclass(frozen=True)
class ZooEntry:
    """One shipped model and its card."""

    name: str
    folder: Path
    card: dict[str, Any]

    @property
    def weights_file(self) -> Path:
        return self.folder / "model.safetensors"

    @property
    def onnx_file(self) -> Path:
        return self.folder / "model.onnx"


def zoo_entries(folder: Path = ZOO_FOLDER) -> list[ZooEntry]:
    """All shipped models, best test error first."""
    cards = sorted(folder.glob("*/card.json"))
    entries = [ZooEntry(card.parent.name, card.parent, read_json(card)) for card in cards]
    return sorted(entries, key=lambda entry: entry.card["test_error_percent"])


def find_in_zoo(name: str, folder: Path = ZOO_FOLDER) -> ZooEntry:
    """A shipped model by name.

    Raises:
        ModelError: none of that name; the names there are.
    """
    entries = {entry.name: entry for entry in zoo_entries(folder)}
    if name not in entries:
        known = ", ".join(entries) or "none yet"
        raise ModelError(f"No shipped model is named '{name}': there are {known}.")
    return entries[name]
