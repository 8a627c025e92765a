"""An NVIDIA GPU is found by its driver, wherever the system shows it."""

from __future__ import annotations

import _ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from export import session
from export.session import has_nvidia_gpu
from tests.processes import ROOT


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No driver's file is there, and no library was tried."""
    monkeypatch.setattr(Path, "exists", lambda path: False)
    session._can_load.cache_clear()
    yield
    session._can_load.cache_clear()


def test_without_file_and_library_there_is_none_and_it_is_tried_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def refuse(name: str) -> None:
        tried.append(name)
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(session.ctypes, "CDLL", refuse)
    assert not has_nvidia_gpu() and not has_nvidia_gpu()
    assert tried == ["libcuda.so.1"]


@pytest.mark.parametrize("file", ["/proc/driver/nvidia/version", "C:/Windows/System32/nvcuda.dll"])
def test_a_drivers_file_is_enough(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda path: path == Path(file))
    monkeypatch.setattr(session.ctypes, "CDLL", lambda name: pytest.fail("it was asked"))
    assert has_nvidia_gpu()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="WSL2 is a Linux")
def test_under_wsl2_its_library_is_enough(tmp_path: Path) -> None:
    """A real loader and a real library, of another kind."""
    shutil.copy(_ctypes.__file__, tmp_path / "libcuda.so.1")
    program = (
        "from pathlib import Path; from export.session import has_nvidia_gpu; "
        "Path.exists = lambda path: False; print(has_nvidia_gpu())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"LD_LIBRARY_PATH": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.strip() == "True", done.stderr
