"""From what a person types, a shipped model's name, a run's folder or a file, to its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resnet_core.errors import ModelError
from resnet_core.locate import locate_model
from resnet_core.models.saved import SavedModel, load_model
from resnet_core.runs.folder import RunFolder


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
    located = locate_model(name, runs)
    return FoundModel(
        load_model(located.weights_file),
        located.source,
        located.data,
        located.folder,
        located.test_error_percent,
    )


def find_weights_beside(onnx_file: Path) -> Path:
    """The weights an ONNX file was exported from, by the names this kit gives them.

    Raises:
        ModelError: there are none in its folder, or no such file.
    """
    if not onnx_file.is_file():
        raise ModelError(f"There is no file {onnx_file}: check the path.")
    for name in ("model.safetensors", f"{onnx_file.stem}.safetensors"):
        if (onnx_file.parent / name).is_file():
            return onnx_file.parent / name
    run = RunFolder(onnx_file.parent)
    if run.config_file.is_file():
        return run.result_model_file()
    raise ModelError(f"No weights lie beside {onnx_file}: name them with --weights FILE.")
