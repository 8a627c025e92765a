"""An imported model on disk: a folder like those of the zoo, under the folder of runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from resnet_core.doctor.answers import Answers
from resnet_core.doctor.diagnose import Diagnosis
from resnet_core.doctor.trial import build
from resnet_core.errors import ConfigError
from resnet_core.files import write_json
from resnet_core.locks import hold
from resnet_core.models.cost import count_cost
from resnet_core.models.network import PixelModel
from resnet_core.models.saved import save_model
from resnet_core.zoo import IMPORTED, ZooEntry, zoo_entries

LOCK = ".importing.lock"
"""The file in the folder of runs that is locked while an imported model is written."""
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}"


def free_name(path: Path, name: str | None, runs: Path) -> str:
    """The name a model is imported by: as said, else made of the file's.

    Raises:
        ConfigError: it is no name for a folder, or something has it already.
    """
    said = name or re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-._")[:80]
    if not re.fullmatch(NAME, said):
        raise ConfigError(
            f"'{said}' can't be a model's name: use letters, digits, dots and dashes, with --name."
        )
    taken = said in {entry.name for entry in zoo_entries()}
    if taken or any((folder / said).exists() for folder in (runs, runs / IMPORTED)):
        raise _taken(said)
    return said


def _taken(name: str) -> ConfigError:
    return ConfigError(f"There is a model named '{name}' already: choose another with --name.")


def keep(
    found: Diagnosis,
    answers: Answers,
    name: str,
    runs: Path,
    command: str,
    published: dict[str, Any] | None = None,
) -> ZooEntry:
    """Write `<runs>/imported/<name>/`; it appears whole, in one step.

    Args:
        command: the command line that imports it, for the card.
        published: what whoever published the weights says of them, for the card.

    Raises:
        ConfigError: another import was given the name since `free_name` found it free.
        OSError: the disk is full or the folder can't be written; nothing of it is left.
    """
    state = next(state for config, state in found.states if config == answers.config)
    model = build(answers.config, state, answers.normalisation)
    folder = runs / IMPORTED / name
    entry = ZooEntry(
        name, folder, _card(found, answers) | {"command": command, "published": published}
    )
    # Two imports of one name would write into the same folder, and each sweep the other's away.
    with hold(runs / LOCK):
        if folder.exists():
            raise _taken(name)
        _write(entry, model, answers)
    return entry


def _write(entry: ZooEntry, model: PixelModel, answers: Answers) -> None:
    """Fill a folder that nobody looks at, then give it the model's name."""
    half = entry.folder.with_name(f".importing-{entry.name}")
    shutil.rmtree(half, ignore_errors=True)  # what a kill left
    try:
        save_model(half / "model.safetensors", model, answers.class_names, answers.crop_share)
        write_json(half / "card.json", entry.card)
        half.rename(entry.folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _card(found: Diagnosis, answers: Answers) -> dict[str, Any]:
    config, file = answers.config, found.checkpoint
    cost = count_cost(config)
    return {
        "name": config.name,
        "config": config.to_dict(),
        "class_names": list(answers.class_names),
        "input": f"uint8 RGB (N, {config.input_size}, {config.input_size}, 3)",
        "crop_share": answers.crop_share,
        "data": answers.data,
        "training": "not known",
        "test_error_percent": None,
        "params": cost.params,
        "multiply_adds": cost.multiply_adds,
        "imported": {
            "source": f"imported from {file.name}",
            "sha256": file.sha256,
            "naming": found.scheme,
            "part": found.weights.part,
            "stripped": found.weights.prefix,
            "left_out": list(found.weights.left_out),
            "assumed": list(answers.assumed),
            "normalisation": answers.normalisation.name,
            "tried_on": answers.trial.said if answers.trial else None,
            "tried": answers.trial.to_dict() if answers.trial else [],
        },
    }
