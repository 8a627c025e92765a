"""From what a person types, a shipped model's name, a run's folder or a file, to its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resnet_core.errors import ModelError
from resnet_core.models.saved import SavedModel, load_model
from resnet_core.runs.folder import RunFolder
from resnet_core.zoo import find_imported, find_in_zoo, zoo_entries


@dataclass(frozen=True)
class FoundModel:
    """A model and where it came from."""

    saved: SavedModel
    source: str
    data: str
    folder: Path
    test_error_percent: float | None


def find_model(name: str, runs: Path) -> FoundModel:
    """Load a model by zoo name, run folder or imported model (or its name) or safetensors file.

    Raises:
        ModelError: nothing of that name, with what there is.
    """
    path = Path(name)
    if path.suffix == ".safetensors":
        return FoundModel(load_model(path), str(path), "cifar10", path.parent, None)
    for folder in (path, runs / name):
        if (folder / "config.json").is_file():
            run = RunFolder(folder)
            saved = load_model(run.result_model_file())
            finished = run.summary_file.exists()
            error = run.summary()["test_error_percent"] if finished else None
            return FoundModel(saved, f"run {run.name}", run.config()["data"], folder, error)
    if imported := find_imported(name, runs):
        return FoundModel(
            load_model(imported.weights_file),
            imported.card["imported"]["source"],
            imported.card["data"],
            imported.folder,
            None,
        )
    if name in {entry.name for entry in zoo_entries()}:
        entry = find_in_zoo(name)
        return FoundModel(
            load_model(entry.weights_file),
            f"zoo/{name}",
            entry.card["data"],
            entry.folder,
            entry.card["test_error_percent"],
        )
    shipped = ", ".join(entry.name for entry in zoo_entries()) or "none yet"
    raise ModelError(
        f"'{name}' is neither a shipped model ({shipped}) nor a run folder, an imported model or a "
        ".safetensors file."
    )


def find_weights_beside(onnx_file: Path) -> Path:
    """The weights an ONNX file was exported from, by the names this kit gives them.

    Raises:
        ModelError: there are none in its folder.
    """
    for name in ("model.safetensors", f"{onnx_file.stem}.safetensors"):
        if (onnx_file.parent / name).is_file():
            return onnx_file.parent / name
    run = RunFolder(onnx_file.parent)
    if run.config_file.is_file():
        return run.result_model_file()
    raise ModelError(f"No weights lie beside {onnx_file}: name them with --weights FILE.")
