"""TensorRT's libraries are found in NVIDIA's package, by real libraries under their names."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import onnxruntime
import pytest

from export.engines.catalogue import find_engine
from export.tensorrt_libraries import INSTALL, NAMES, PACKAGE, load_tensorrt

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the planted libraries are Linux's")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder where the package would be."""
    folder = tmp_path / PACKAGE
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    load_tensorrt.cache_clear()
    yield folder
    load_tensorrt.cache_clear()


def plant(folder: Path, names: tuple[str, ...]) -> None:
    loadable = Path(onnxruntime.__file__).parent / "capi" / "libonnxruntime_providers_shared.so"
    for name in names:
        shutil.copy(loadable, folder / name)


def test_they_are_here_when_all_of_them_load(package: Path) -> None:
    plant(package, NAMES["linux"])
    assert load_tensorrt()


def test_one_that_is_missing_or_broken_is_seen(package: Path) -> None:
    plant(package, NAMES["linux"][:2])
    assert not load_tensorrt()
    (package / NAMES["linux"][2]).write_bytes(b"no library")
    load_tensorrt.cache_clear()
    assert not load_tensorrt()


def test_a_gpu_without_them_is_told_what_to_install(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.engines.on_onnxruntime_gpu.has_nvidia_gpu", lambda: True)
    choices = find_engine("onnxruntime-tensorrt")
    assert [choice.precision for choice in choices] == ["fp32", "fp16", "int8"]
    for choice in choices:
        assert choice.obstacle is not None and choice.obstacle.install == INSTALL
    plant(package, NAMES["linux"])
    load_tensorrt.cache_clear()
    assert all(choice.obstacle is None for choice in find_engine("onnxruntime-tensorrt"))
