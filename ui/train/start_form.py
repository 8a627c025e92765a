"""What a training may start from, as the Train tab offers it, and what follows for the other settings."""

from __future__ import annotations

from typing import Any

import gradio as gr

from resnet_core.data.catalogue import count_train_images
from resnet_core.data.own_images import DEFAULT_SIZE
from resnet_core.errors import ConfigError, LabError
from resnet_core.models.config import ALL_FAMILIES, ModelConfig
from resnet_core.runs.folder import RunFolder, list_runs
from resnet_core.training.config import default_data_folder
from resnet_core.training.recipes import RECIPES, Recipe, fit_to_images
from resnet_core.training.start import FoundStart, find_start
from resnet_core.zoo import imported_entries, zoo_entries
from ui import run_jobs

NOTHING = ""
USUAL_RECIPE, RECIPE_WITH_START = "taste", "finetune"
FOLLOWING = ("start", "family", "depth", "shortcut")
"""The fields that show what a start decides."""
PARTS = [("all of it", "all"), ("last stage", "last_stage"), ("head only", "head")]


def offer_starts(chosen: str = NOTHING) -> list[tuple[str, str]]:
    """The menu: nothing, the models that ship, imported ones, then finished runs, newest first.

    And the one that the form stands on, should it be gone: Gradio refuses a value that is not there.
    """
    runs = run_jobs.runs_folder()
    shipped = [(entry.name, entry.name) for entry in zoo_entries()]
    imported = [(f"{entry.name} · imported", entry.name) for entry in imported_entries(runs)]
    trained = [_run_entry(run) for run in list_runs(runs) if run.summary_file.is_file()]
    known = [*shipped, *imported, *(entry for entry in trained if entry is not None)]
    offered = [("nothing: random weights", NOTHING), *known]
    is_there = chosen in [name for _, name in offered]
    return offered if is_there else [*offered, (f"{chosen} · not here", chosen)]


def _run_entry(run: RunFolder) -> tuple[str, str] | None:
    """None where a run's folder was damaged by hand."""
    try:
        config = run.config()
        name = ModelConfig.from_dict(config["model"]).name
        return f"{name} · {config['data']} · seed {config['seed']} · {run.name[:15]}", run.name
    except (LabError, KeyError, TypeError):
        return None


def chosen_start(name: str) -> FoundStart | None:
    """The start that the menu stands at; None for random weights.

    Raises:
        LabError: it is gone, or the name is none of the menu's, which must not name files.
    """
    if name == NOTHING:
        return None
    if name not in [value for _, value in offer_starts()]:
        raise ConfigError(f"There is no model '{name}' to start from any more: choose another.")
    return find_start(name, run_jobs.runs_folder())


def fitted_recipe(name: str, start: str, data: str) -> Recipe:
    """A recipe as it is when it is chosen: from a start, with steps that suit the images."""
    recipe = RECIPES[name]
    try:
        found = chosen_start(start)
        if found is None:
            return recipe
        images = count_train_images(data, default_data_folder())
        return found.recipe_for(fit_to_images(recipe, images))
    except LabError:  # the command line's place says why
        return recipe


def describe_start(name: str) -> str:
    """The net of a start, in words; empty for random weights."""
    try:
        found = chosen_start(name)
    except LabError as error:
        return str(error)
    if found is None:
        return ""
    net = found.header.config
    return (
        f"{ALL_FAMILIES[net.family].title}, {net.depth} layers, pictures of {net.input_size} × "
        f"{net.input_size} pixels. All of it is kept but the head, which is made for your classes."
    )


def follow_start(name: str) -> dict[str, Any]:
    """How the fields show that family, depth and shortcut are the start's; by field."""
    is_free = name == NOTHING
    return {
        "start": gr.update(choices=offer_starts(name), info=describe_start(name)),
        "family": gr.update(visible=is_free or "hidden"),
        "depth": gr.update(visible=is_free or "hidden"),
        "shortcut": gr.update(interactive=is_free),
    }


def offer_part(part: str, start: str) -> Any:
    """What learns; a choice only where there are trained weights to keep."""
    return gr.update(value=part, visible=start != NOTHING or "hidden")


def usual_size(name: str) -> int:
    """Height and width, in pixels, to prepare own images at."""
    try:
        found = chosen_start(name)
    except LabError:
        return DEFAULT_SIZE
    return found.input_size if found else DEFAULT_SIZE
