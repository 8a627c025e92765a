from __future__ import annotations

from pathlib import Path

import pytest

from export.triton.repository import write_model
from export.triton.settings import ServingSettings
from tests.export.tiny_onnx import ANIMALS, write_tiny_onnx


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return write_tiny_onnx(tmp_path / "tiny.onnx", ANIMALS)


@pytest.fixture
def served(tmp_path: Path, tiny: Path) -> Path:
    """A sound repository of one model, `animals`, with all that can be spoilt."""
    write_model(tiny, "animals", tmp_path / "repo", ServingSettings(engine="tensorrt"))
    return tmp_path / "repo"
