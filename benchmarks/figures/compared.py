"""Runs side by side: what is read of each, which differ by their seed alone, and their names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from resnet_core.errors import RunError
from resnet_core.models.config import ALL_FAMILIES
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.history import History, read_history

# What may differ between seeds of one experiment: nothing that changes what is learnt.
NOT_THE_EXPERIMENT = {
    "seed", "command", "data_folder", "device", "precision", "compile", "threads",
    "checkpoint_seconds",
}  # fmt: skip

STAMP = len("20261123-142233")
"""Letters of a run's name that say when it was made."""


@dataclass(frozen=True)
class ComparedRun:
    """A run as it stands now."""

    name: str
    config: dict[str, Any]
    history: History
    state: RunState
    summary: dict[str, Any]
    """Final figures; empty while the run is not finished."""
    environment: dict[str, Any]

    @property
    def family(self) -> str:
        return str(self.config["model"]["family"])

    @property
    def depth(self) -> int:
        return int(self.config["model"]["depth"])

    @property
    def seed(self) -> int:
        return int(self.config["seed"])

    @property
    def recipe(self) -> str:
        return str(self.config["recipe"]["name"])

    @property
    def model(self) -> str:
        return ALL_FAMILIES[self.family].name(self.depth)

    @property
    def title(self) -> str:
        return f"{ALL_FAMILIES[self.family].title} {self.depth}"

    @property
    def experiment(self) -> str:
        """The same word for runs that differ in nothing but their seed."""
        said = {k: v for k, v in self.config.items() if k not in NOT_THE_EXPERIMENT}
        return json.dumps(said, sort_keys=True)


@dataclass(frozen=True)
class Group:
    """Runs drawn as one line, and the line's name."""

    label: str
    runs: tuple[ComparedRun, ...]

    @property
    def count(self) -> str:
        return _count(self.runs)


def load_run(folder: RunFolder) -> ComparedRun:
    """Read what a comparison needs.

    Raises:
        RunError: the folder holds no run.
    """
    return ComparedRun(
        name=folder.name,
        config=folder.config(),
        history=read_history(folder),
        state=folder.state(),
        summary=_or_nothing(folder.summary),
        environment=_or_nothing(folder.environment),
    )


def _or_nothing(read: Any) -> dict[str, Any]:
    try:
        return dict(read())
    except RunError:
        return {}


def group_runs(runs: Sequence[ComparedRun], by_seeds: bool) -> list[Group]:
    """Each run for itself, or the seeds of an experiment together; labels tell all apart."""
    members: dict[str, list[ComparedRun]] = {}
    for number, run in enumerate(runs):
        members.setdefault(run.experiment if by_seeds else str(number), []).append(run)
    groups = [tuple(group) for group in members.values()]
    return [Group(label, group) for label, group in zip(_labels(groups), groups, strict=True)]


def _labels(groups: Sequence[tuple[ComparedRun, ...]]) -> list[str]:
    """Family and depth, and of the rest what is needed to tell the groups apart."""
    labels = [group[0].title for group in groups]
    for detail in (_data, _recipe):
        if _repeated(labels):
            labels = _with_details(labels, [detail(group) for group in groups])
    if not _repeated(labels):
        return labels
    with_seeds = _with_details(labels, [_seeds(group) for group in groups])
    if not _repeated(with_seeds):
        return with_seeds
    with_starts = _with_details(labels, [group[0].name[:STAMP] for group in groups])
    if not _repeated(with_starts):
        return with_starts
    return _with_details(labels, [group[0].name for group in groups])


def _with_details(labels: Sequence[str], details: Sequence[str]) -> list[str]:
    if len(set(details)) == 1:  # the same for all tells nothing apart
        return list(labels)
    return [f"{label}, {detail}" for label, detail in zip(labels, details, strict=True)]


def _repeated(labels: Sequence[str]) -> bool:
    return any(times > 1 for times in Counter(labels).values())


def _data(group: tuple[ComparedRun, ...]) -> str:
    return str(group[0].config["data"])


def _recipe(group: tuple[ComparedRun, ...]) -> str:
    return group[0].recipe


def _seeds(group: tuple[ComparedRun, ...]) -> str:
    return f"seed {group[0].seed}" if len(group) == 1 else _count(group)


def _count(runs: Sequence[ComparedRun]) -> str:
    """Three seeds, or three runs where a seed comes twice."""
    are_seeds = len({run.seed for run in runs}) == len(runs)
    return f"{len(runs)} {'seeds' if are_seeds else 'runs'}"
