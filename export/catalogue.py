"""The exported models there are: shipped, imported, or made by runs. No torch, no sessions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from export.converted import check_named
from resnet_core.errors import LabError, ModelError
from resnet_core.models.config import ModelConfig
from resnet_core.models.photo_families import PHOTO_FAMILIES
from resnet_core.runs.folder import RunFolder, list_runs
from resnet_core.training.config import default_runs_folder
from resnet_core.zoo import ZooEntry, imported_entries, zoo_entries


@dataclass(frozen=True)
class Exported:
    """An exported model: the name a person picks it by, and its file."""

    name: str
    file: Path
    title: str
    """Name, depth and test error, for a menu."""
    is_photo: bool = False
    """Whether it is a net for photos, and not for small pictures."""


def list_exported() -> list[Exported]:
    """Shipped models with an ONNX file, best test error first, imported ones, and runs, newest first."""
    shipped = [
        Exported(
            entry.name,
            entry.onnx_file,
            f"{entry.name} · {entry.card['config']['depth']} layers · "
            f"{entry.card['test_error_percent']:.2f} %",
        )
        for entry in zoo_entries()
        if entry.onnx_file.is_file()
    ]
    imported = [
        Exported(
            entry.name,
            entry.onnx_file,
            f"{entry.name} · {entry.card['config']['depth']} layers · {_known_error(entry)}",
            entry.card["config"]["family"] in PHOTO_FAMILIES,
        )
        for entry in imported_entries(default_runs_folder())
        if entry.onnx_file.is_file()
    ]
    trained = (_exported_run(run) for run in list_runs(default_runs_folder()))
    return [*shipped, *imported, *(model for model in trained if model is not None)]


def _known_error(entry: ZooEntry) -> str:
    """Of an imported model: what its publisher says, for nobody here measured it."""
    published = entry.card.get("published")
    if not published:
        return "imported, error not measured"
    return f"{published['top1_error_percent']:.2f} % (published)"


def _exported_run(run: RunFolder) -> Exported | None:
    """A run's exported model; None where there is none, or its folder was damaged by hand."""
    if not run.onnx_file.is_file():
        return None
    try:
        model = ModelConfig.from_dict(run.config()["model"])
        finished = run.summary_file.is_file()
        error = f"{run.summary()['test_error_percent']:.2f} %" if finished else "unfinished"
        seed = run.config()["seed"]
    except (LabError, KeyError, TypeError):
        return None
    title = f"{model.name} · {model.depth} layers · {error} · your run, seed {seed}"
    return Exported(run.name, run.onnx_file, title, model.is_photo)


def find_exported(name: str) -> Exported:
    """An exported model by name, or by the path of its ONNX file.

    Raises:
        ModelError: there is none; the names there are. Or a file of a model's folder is not of it.
    """
    path = Path(name)
    if path.suffix == ".onnx" and path.is_file():
        check_named(path)
        return Exported(path.stem, path, path.name)
    return find_listed(name)


def find_listed(name: str) -> Exported:
    """An exported model by name alone: what a page may ask for, which must not name files.

    Raises:
        ModelError: there is none; the names there are.
    """
    models = {model.name: model for model in list_exported()}
    if name not in models:
        raise ModelError(
            f"There is no exported model '{name}': choose one of {', '.join(models) or 'none yet'}."
        )
    return models[name]
