"""Which engine answers in the Classify tab: the menu, and measuring the engines in the background."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr

from export.catalogue import find_exported
from export.engines.catalogue import find_choice, list_choices
from export.tuned import FORCED, USUAL, cache_file, read_tuned
from resnet_core.errors import LabError
from ui import run_jobs
from ui.speed import jobs as speed_jobs
from ui.speed import tune_jobs

FASTEST = ""
_begun: set[Path] = set()
"""Where what is found is kept: of a changed model, or with another library, a new place."""


def check_forced_engine() -> None:
    """Raises ConfigError or ModelError where the engine that the app was started with can't run."""
    if forced := os.environ.get(FORCED):
        find_choice(forced)


def offer_engines(model: str | None) -> Any:
    """The menu for a model: the fastest, and every engine that can be used here."""
    return gr.update(choices=[(_fastest(model), FASTEST), *((key, key) for key in _usable())])


@cache
def _usable() -> tuple[str, ...]:
    return tuple(c.key for c in list_choices(with_pytorch=False) if c.obstacle is None)


def _fastest(model: str | None) -> str:
    if forced := os.environ.get(FORCED):
        return f"{forced} (as started)"
    try:
        tuned = read_tuned(find_exported(model or "").file)
    except LabError:
        tuned = None
    if tuned is None or not tuned.chosen:
        return f"{USUAL} (not measured yet)"
    return f"{tuned.chosen} (fastest here)"


def measure_in_background(model: str) -> None:
    """Start `python -m export tune` for a model that was not measured here; once, when idle."""
    try:
        file = find_exported(model).file
        place = cache_file(file)
        if place in _begun or os.environ.get(FORCED) or read_tuned(file) is not None:
            return
    except LabError:
        return
    if any(row["state"] == "running" for row in run_jobs.all_rows()) or speed_jobs.live_file():
        return  # what is measured beside other work would choose for a busy machine
    if tune_jobs.is_running():
        return  # the next answer asks again
    _begun.add(place)
    tune_jobs.start(tune_jobs.in_background(), [model], steps_back=True)
