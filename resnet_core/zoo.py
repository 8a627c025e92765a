"""The models that ship, those imported from elsewhere, and where they are. No torch: the app lists them.

`zoo/<name>/`: `model.safetensors`, `model.onnx`, `card.json`, `history.csv`.
`<runs>/imported/<name>/`: the same without a history, for nobody here saw the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_core.errors import LabError, ModelError
from resnet_core.files import read_json
from resnet_core.models.config import ModelConfig

ZOO_FOLDER = Path(__file__).resolve().parent.parent / "zoo"
IMPORTED = "imported"
# What a card holds at the least, and as what.
CARD: dict[str, Any] = {
    "name": str, "config": dict, "data": str, "params": int, "multiply_adds": int, "command": str,
}  # fmt: skip
SHIPPED_CARD = CARD | {"test_error_percent": (int, float)}
IMPORTED_CARD = CARD | {"imported": dict}


@dataclass(frozen=True)
class ZooEntry:
    """One shipped or imported model and its card."""

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
    entries = (_entry(card.parent, SHIPPED_CARD) for card in cards)
    whole = [entry for entry in entries if entry is not None]
    return sorted(whole, key=lambda entry: entry.card["test_error_percent"])


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


def imported_entries(runs: Path) -> list[ZooEntry]:
    """The models that `python -m resnet_core import` put under a folder of runs, by name."""
    entries = (_imported(card.parent) for card in sorted((runs / IMPORTED).glob("[!.]*/card.json")))
    return [entry for entry in entries if entry is not None]


def find_imported(name: str, runs: Path) -> ZooEntry | None:
    """An imported model by its name, or by its folder; None where there is none."""
    for folder in (Path(name), runs / IMPORTED / name):
        if (folder / "card.json").is_file() and (entry := _imported(folder)) is not None:
            return entry
    return None


def _imported(folder: Path) -> ZooEntry | None:
    entry = _entry(folder, IMPORTED_CARD)
    return entry if entry and isinstance(entry.card["imported"].get("source"), str) else None


def _entry(folder: Path, needed: dict[str, Any]) -> ZooEntry | None:
    """A folder's model; None where its card was damaged by hand, which must not hide the others."""
    try:
        card = read_json(folder / "card.json")
        is_whole = all(isinstance(card[key], kind) for key, kind in needed.items())
        ModelConfig.from_dict(card["config"])
    except (OSError, ValueError, LookupError, TypeError, LabError):
        return None
    return ZooEntry(folder.name, folder, card) if is_whole else None
