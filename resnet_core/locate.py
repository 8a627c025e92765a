"""From what a person types, a shipped model's name, a run's folder or a file, to its weights file. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resnet_core.errors import ModelError
from resnet_core.runs.folder import RunFolder
from resnet_core.zoo import find_imported, find_in_zoo, zoo_entries


@dataclass(frozen=True)
class LocatedModel:
    """Where a model's weights are, and what is known of them."""

    weights_file: Path
    source: str
    """Where it comes from, in words."""
    data: str
    folder: Path
    test_error_percent: float | None


def locate_model(name: str, runs: Path) -> LocatedModel:
    """Find a model by zoo name, run folder or imported model (or its name) or safetensors file.

    Raises:
        ModelError: nothing of that name, with what there is.
    """
    path = Path(name)
    if path.suffix == ".safetensors":
        return LocatedModel(path, str(path), "cifar10", path.parent, None)
    for folder in (path, runs / name):
        if (folder / "config.json").is_file():
            run = RunFolder(folder)
            finished = run.summary_file.exists()
            error = run.summary().get("test_error_percent") if finished else None
            return LocatedModel(
                run.result_model_file(), f"run {run.name}", run.config()["data"], folder, error
            )
    if imported := find_imported(name, runs):
        source = imported.card["imported"]["source"]
        return LocatedModel(
            imported.weights_file, source, imported.card["data"], imported.folder, None
        )
    if name in {entry.name for entry in zoo_entries()}:
        entry = find_in_zoo(name)
        error = entry.card["test_error_percent"]
        return LocatedModel(
            entry.weights_file, f"zoo/{name}", entry.card["data"], entry.folder, error
        )
    shipped = ", ".join(entry.name for entry in zoo_entries()) or "none yet"
    raise ModelError(
        f"'{name}' is neither a shipped model ({shipped}) nor a run folder, an imported model or a "
        ".safetensors file."
    )
