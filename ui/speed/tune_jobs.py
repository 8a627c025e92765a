"""Measuring which engine answers fastest: the processes that pages start for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from export.tuned import cache_folder
from resnet_core.training.config import default_data_folder
from ui.child import Child


def asked_for() -> Child:
    """The last one that a person asked for, for every model."""
    return Child(cache_folder() / "tune.job", cache_folder() / "tune-all.log")


def in_background() -> Child:
    """The last one that the app began by itself, for a model that was not measured here."""
    folder = cache_folder().resolve()
    return Child(folder / "background.job", folder / "tune.log")


def is_running() -> bool:
    return any(child.process_id() is not None for child in (asked_for(), in_background()))


def start(child: Child, models: Sequence[str], steps_back: bool = False) -> None:
    """Run `python -m export tune`; it can outlive the app."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    data_folder: Path = default_data_folder().resolve()
    words = ["export", "tune", *models, "--data-folder", str(data_folder)]
    child.start(words, {"models": list(models)}, steps_back)
