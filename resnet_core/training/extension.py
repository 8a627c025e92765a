"""Taking an extension back of which no step was trained: a finished run is then finished again. No torch."""

from __future__ import annotations

from typing import Any

from resnet_core.errors import LabError
from resnet_core.files import write_json
from resnet_core.runs.folder import RunFolder
from resnet_core.training.new_run import COMMAND, EXTENSIONS

DAMAGE = (LabError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError)


def take_back(folder: RunFolder) -> None:
    """Give a run the length it had before those of its last extensions that no step was trained of.

    Where it was finished at that length, it is so again. A folder that was damaged by hand is left
    as it is. The caller holds the run's lock, and no process works on it.

    Raises:
        OSError: the folder can't be written.
    """
    try:
        now, before = folder.config(), _config_before(folder)
        aside = folder.summary_file_at(before["recipe"]["epochs"])
    except DAMAGE:
        return
    # The config first: a kill between the two leaves a resumable run of the old length, which ends
    # at once, and is finished too when this is done again. A finished run would have the wrong one.
    if before != now:
        write_json(folder.config_file, before)
    if aside.exists():
        aside.replace(folder.summary_file)


def _config_before(folder: RunFolder) -> dict[str, Any]:
    """The config without the last extensions, as far back as the length that was begun or finished."""
    config = folder.config()
    started = [event for event in folder.events() if event["event"] == "started"]
    epochs, kept = config["recipe"]["epochs"], list(config.get(EXTENSIONS, []))
    undone = 0
    while kept and not folder.summary_file_at(epochs).exists() and not _is_begun(kept[-1], started):
        epochs = kept.pop()["from_epochs"]
        undone += 1
    if not undone:
        return config
    command = "\n".join(config[COMMAND].split("\n")[:-undone])  # each has added its line
    changed = {"recipe": config["recipe"] | {"epochs": epochs}, COMMAND: command, EXTENSIONS: kept}
    before = config | changed
    if not kept:
        del before[EXTENSIONS]
    return before


def _is_begun(extension: dict[str, Any], started: list[dict[str, Any]]) -> bool:
    """Whether a process began to train for longer than the run was: its event comes before its steps."""
    return any(
        event["total_steps"] > max(1, round(extension["from_epochs"] * event["steps_per_epoch"]))
        for event in started
    )
