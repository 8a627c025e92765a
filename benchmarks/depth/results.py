"""What a study has found so far: its runs, gathered by net, with means and intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from benchmarks.depth.statistics import half_width
from benchmarks.depth.study import PlannedRun, Study
from resnet_core.errors import RunError
from resnet_core.models.config import FAMILIES
from resnet_core.runs.folder import RunFolder
from resnet_core.training.new_run import EXTENSIONS

SPLITS = ("train", "test")


@dataclass(frozen=True)
class FinishedRun:
    """One run's final figures."""

    run: PlannedRun
    folder: RunFolder
    summary: dict[str, Any]

    def error(self, split: str) -> float:
        """In percent; training error is the running mean over its last epoch's augmented images."""
        return float(self.summary[f"{split}_error_percent"])


@dataclass(frozen=True)
class Cell:
    """One net of the study: all its finished seeds."""

    family: str
    depth: int
    runs: tuple[FinishedRun, ...]

    @property
    def title(self) -> str:
        return f"{FAMILIES[self.family].title} {self.depth}"

    @property
    def params(self) -> int:
        return int(self.runs[0].summary["params"])

    @property
    def multiply_adds(self) -> int:
        return int(self.runs[0].summary["multiply_adds"])

    @property
    def train_seconds(self) -> float:
        return fmean(run.summary["train_seconds"] for run in self.runs)

    def errors(self, split: str) -> list[float]:
        return [run.error(split) for run in self.runs]

    def mean(self, split: str) -> float:
        return fmean(self.errors(split))

    def half_width(self, split: str) -> float | None:
        return half_width(self.errors(split))


def read_results(study: Study) -> list[Cell]:
    """Finished runs by family and depth, shallow first.

    Left out are damaged runs, and those that trained for another time than the study's.
    """
    cells: dict[tuple[str, int], list[FinishedRun]] = {}
    for found in _finished(study):
        if _epochs(found.folder, study) == study.recipe.epochs:
            cells.setdefault((found.run.family, found.run.depth), []).append(found)
    order = {family: number for number, family in enumerate(FAMILIES)}
    made = [Cell(family, depth, tuple(runs)) for (family, depth), runs in cells.items()]
    return sorted(made, key=lambda cell: (order[cell.family], cell.depth))


def left_out(study: Study) -> list[str]:
    """A sentence for each finished run that is no part of the results for its length."""
    return [
        f"{found.folder.name} is left out: it was extended to {epochs:g} epochs, and the study's "
        f"runs have {study.recipe.epochs:g}."
        for found in _finished(study)
        if (epochs := _epochs(found.folder, study)) != study.recipe.epochs
    ]


def _finished(study: Study) -> Iterator[FinishedRun]:
    for run in study.runs:
        folder = study.folder(run)
        try:
            found = FinishedRun(run, folder, folder.summary())
        except RunError:
            continue
        yield found


def _epochs(folder: RunFolder, study: Study) -> float:
    """How long a run trained: as the study has it, unless `runs extend` made it longer."""
    try:
        extensions = folder.config().get(EXTENSIONS)
    except RunError:  # its figures are whole
        return study.recipe.epochs
    return float(extensions[-1]["to_epochs"]) if extensions else study.recipe.epochs


def of_family(cells: Sequence[Cell], family: str) -> list[Cell]:
    return [cell for cell in cells if cell.family == family]


def find_cell(cells: Sequence[Cell], family: str, depth: int) -> Cell | None:
    return next((c for c in cells if (c.family, c.depth) == (family, depth)), None)


def family_in_words(family: str) -> str:
    """A family's name inside a sentence."""
    return "plain" if family == "plain" else FAMILIES[family].title


# Heading and value of each column: the table, the page and the CSV say the same.
COLUMNS: tuple[tuple[str, Callable[[Cell], Any]], ...] = (
    ("family", lambda c: c.family),
    ("depth", lambda c: c.depth),
    ("seeds", lambda c: len(c.runs)),
    ("train_error_percent", lambda c: c.mean("train")),
    ("train_half_width", lambda c: c.half_width("train")),
    ("test_error_percent", lambda c: c.mean("test")),
    ("test_half_width", lambda c: c.half_width("test")),
    ("params", lambda c: c.params),
    ("multiply_adds", lambda c: c.multiply_adds),
    ("train_seconds", lambda c: c.train_seconds),
)


def rows(cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """A flat row a net; half widths are those of the mean's 95 % interval, None for one seed."""
    return [{name: value(cell) for name, value in COLUMNS} for cell in cells]
