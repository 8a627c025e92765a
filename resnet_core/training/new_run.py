"""Runs before and between their processes: made, read back, made longer. No torch: the app does this."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from resnet_core.errors import RunError
from resnet_core.files import write_json
from resnet_core.locks import hold
from resnet_core.models.config import ModelConfig
from resnet_core.onnx_names import converted_files
from resnet_core.options import as_word, as_words
from resnet_core.runs.folder import RunFolder, RunState, new_run_folder
from resnet_core.training.config import RUN_OPTIONS, TrainConfig
from resnet_core.training.recipes import RECIPES

# What a stored config holds beside the fields of TrainConfig.
COMMAND, EXTENSIONS, VERSION = "command", "extensions", "format"
FORMAT = "resnet-lab-run-1"  # not in the configs of the first versions, which read the same


def create_run(config: TrainConfig, runs: Path, path: Path | None = None) -> RunFolder:
    """Make the folder of a new run, at `path` or named by time, model and data under `runs`.

    Raises:
        RunError: `path` already holds a run.
    """
    stored = {VERSION: FORMAT} | config.to_dict() | {COMMAND: reproducing_command(config)}
    if path is None:
        return new_run_folder(runs, config.model.name, config.data, stored)
    folder = RunFolder(path)
    if folder.config_file.exists():
        raise RunError(f"{path} already holds a run: resume it, or choose another --run folder.")
    write_json(folder.config_file, stored)
    return folder


def read_config(folder: RunFolder) -> TrainConfig:
    """The run's config as it now stands, extensions included.

    Raises:
        RunError: it is damaged, or of a version to come.
    """
    stored = folder.config()
    if (version := stored.pop(VERSION, FORMAT)) != FORMAT:
        raise RunError(
            f"Run {folder.name} was written by another version of ResNet Lab ({version}): update "
            "this one."
        )
    for extra in (COMMAND, EXTENSIONS):
        stored.pop(extra, None)
    return TrainConfig.from_dict(stored)


def extend(folder: RunFolder, epochs: float) -> None:
    """Make a run longer by some epochs; it goes on when it is resumed.

    The recipe's schedule is stretched to the new length, so the learning rate rises again to
    what the longer schedule has at this point. The figures of the shorter run are kept beside it.

    Raises:
        RunError: the run is running or queued.
        ConfigError: the new length makes no sense.
    """
    with hold(folder.lock_file):
        state = folder.state()
        if state in (RunState.RUNNING, RunState.QUEUED):
            raise RunError(f"Run {folder.name} is {state.value}: stop it before extending it.")
        if epochs <= 0:
            raise RunError(f"A run is extended by more than 0 epochs, not {epochs:g}.")
        config = read_config(folder)
        stored = folder.config()
        before = config.recipe.epochs
        longer = replace(config, recipe=config.recipe.changed(epochs=before + epochs))
        step = {"from_epochs": before, "to_epochs": before + epochs}
        extras = {
            VERSION: FORMAT,
            COMMAND: f"{stored[COMMAND]}\npython -m resnet_core runs extend RUN --epochs {epochs:g}",
            EXTENSIONS: [*stored.get(EXTENSIONS, []), step],
        }
        # A kill between the two leaves a resumable run of the old length, which ends at once.
        if folder.summary_file.exists():
            folder.summary_file.rename(folder.path / f"summary-{before:g}-epochs.json")
        write_json(folder.config_file, longer.to_dict() | extras)
        for exported in (*converted_files(folder.onnx_file), folder.onnx_file):
            exported.unlink(missing_ok=True)


def times_tested(folder: RunFolder) -> int:
    """How often the test split was read before: once for each length the run had."""
    return len(list(folder.path.glob("summary-*-epochs.json")))


def reproducing_command(config: TrainConfig) -> str:
    """The command line that starts the same run anywhere; paths of this machine left out.

    It says whatever is not the default and can be said; the rest follows from start and data.
    """
    recipe = config.recipe
    words = [
        *program(config.devices), "train",
        *(["--from", config.start.name] if config.start else ["--model", config.model.name]),
        "--data", config.data,
        "--recipe", recipe.name,
        "--epochs", as_word(recipe.epochs),
        *as_words("seed", config.seed),
    ]  # fmt: skip
    return shlex.join(words + _changed_options(config))


def program(devices: int) -> list[str]:
    """The words that start this program on one device or on several."""
    if devices == 1:
        return ["python", "-m", "resnet_core"]
    # Without the two dashes torchrun takes --run for an option of its own.
    return ["torchrun", "--nproc-per-node", str(devices), "-m", "resnet_core", "--"]


def _changed_options(config: TrainConfig) -> list[str]:
    changes = config.recipe.changes_from(RECIPES[config.recipe.name])
    for said in ("epochs", "source"):  # the one is said already, the other is no option
        changes.pop(said, None)
    if config.start:  # where what is not said follows start and data
        changes = {"batch_size": config.recipe.batch_size} | changes
        changes.pop("normalisation", None)
    else:
        changes = _changed_fields(config.model, ("shortcut", "gate_bias")) | changes
    changes |= _changed_fields(config, (name for name in RUN_OPTIONS if name != "seed"))
    return [word for name, value in changes.items() for word in as_words(name, value)]


def _changed_fields(settings: ModelConfig | TrainConfig, names: Iterable[str]) -> dict[str, Any]:
    """Those of the named fields that are not at their defaults."""
    defaults = {field.name: field.default for field in fields(settings)}
    values = {name: getattr(settings, name) for name in names}
    return {name: value for name, value in values.items() if value != defaults[name]}
