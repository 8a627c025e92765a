"""What kind of value each entry of a run's files is, checked where they are read.

A file that someone edited is refused there, in a sentence, so that nothing that shows a run need
doubt what it shows. The first versions wrote less than is known here; some entries every one wrote.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

TEXT, WHOLE, NUMBER, OBJECT = "text", "a whole number", "a number", "an object"
NUMBER_OR_NOTHING, OBJECT_OR_NOTHING = f"{NUMBER} or null", f"{OBJECT} or null"
KINDS = {
    "config.json": {
        "model": OBJECT, "model.family": TEXT, "model.depth": WHOLE, "model.shortcut": TEXT,
        "data": TEXT, "data_folder": TEXT, "recipe": OBJECT, "recipe.name": TEXT,
        "recipe.epochs": NUMBER, "recipe.batch_size": WHOLE, "start": OBJECT_OR_NOTHING,
        "start.name": TEXT, "seed": WHOLE, "split_seed": WHOLE, "device": TEXT, "devices": WHOLE,
        "precision": TEXT, "compile": TEXT, "threads": WHOLE, "checkpoint_seconds": NUMBER,
        "command": TEXT,
    },
    "summary.json": {
        "data": TEXT, "epochs": NUMBER, "train_error_percent": NUMBER_OR_NOTHING,
        "validation_error_percent": NUMBER_OR_NOTHING, "test_error_percent": NUMBER_OR_NOTHING,
        "majority_error_percent": NUMBER_OR_NOTHING, "train_seconds": NUMBER, "params": WHOLE,
        "multiply_adds": WHOLE,
    },
}  # fmt: skip
"""By file, then by entry; a dot leads into an object."""
ALWAYS = {
    "config.json": {
        "model", "data", "recipe", "recipe.name", "recipe.epochs", "recipe.batch_size", "seed", "command",
    },
}  # fmt: skip
"""What every version wrote."""


def wrong_kind(file: str, held: dict[str, Any]) -> str | None:
    """What is wrong with a file of this name, in words; None where nothing is."""
    for entry, kind in KINDS.get(file, {}).items():
        outer, _, inner = entry.rpartition(".")
        place = held.get(outer) if outer else held
        if not isinstance(place, dict):
            continue  # an object that may be missing
        if inner not in place:
            if entry in ALWAYS.get(file, ()):
                return f"{entry} is missing"
        elif not _is(place[inner], kind):
            return f"{entry} is not {kind}"
    return None


def _is(value: Any, kind: str) -> bool:
    if value is None:
        return kind in (NUMBER_OR_NOTHING, OBJECT_OR_NOTHING)
    if kind == TEXT:
        return isinstance(value, str)
    if kind in (OBJECT, OBJECT_OR_NOTHING):
        return isinstance(value, dict)
    if kind == WHOLE:
        return isinstance(value, int)
    return isinstance(value, int | float) and isfinite(value)
