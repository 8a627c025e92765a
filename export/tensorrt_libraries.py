"""TensorRT's libraries, which ONNX Runtime's provider is linked to: found, and loaded before it."""

from __future__ import annotations

import ctypes
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "tensorrt_libs"
INSTALL = 'pip install "tensorrt-cu13-libs<11"'
"""NVIDIA's package. ONNX Runtime 1.31 is linked to TensorRT 10, by file names that end in it."""
NAMES = {
    "linux": ("libnvinfer.so.10", "libnvinfer_plugin.so.10", "libnvonnxparser.so.10"),
    "win32": ("nvinfer_10.dll", "nvinfer_plugin_10.dll", "nvonnxparser_10.dll"),
}


@cache
def load_tensorrt() -> bool:
    """Load them, from NVIDIA's package or where the system looks; whether all are here.

    What is loaded already is not looked for again, so the provider finds those in site-packages,
    where no loader looks.
    """
    names = NAMES.get(sys.platform, ())
    return bool(names) and all(map(_load, names))


def _load(name: str) -> bool:
    package = find_spec(PACKAGE)
    folders = (package.submodule_search_locations or ()) if package else ()
    for place in (*(str(Path(folder) / name) for folder in folders), name):
        try:
            ctypes.CDLL(place, mode=ctypes.RTLD_GLOBAL)
            return True
        except OSError:
            continue
    return False
