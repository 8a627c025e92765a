"""Which engine answers fastest here, as `python -m export tune` measured it once. No torch."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from export.converted import hash_file
from export.precisions import FILE_PRECISIONS, file_for
from export.session import has_nvidia_gpu
from export.threads import allowed_threads, usable_cores
from resnet_core.errors import ModelError
from resnet_core.files import read_json
from resnet_core.training.config import default_runs_folder
from resnet_core.training.machine import nvidia_driver

# In -1 an int8 file that was chosen may be another model's, as nothing said whose it was.
FORMAT = "resnet-lab-engines-2"
USUAL = "onnxruntime-cpu:fp32"
"""What runs a model where nothing was measured yet, and what others are compared with."""
FORCED = "RESNET_LAB_ENGINE"
LIBRARIES = (
    "onnxruntime-gpu", "onnxruntime", "openvino", "tensorrt", "tensorrt-cu13-libs", "torch",
)  # fmt: skip
GPUS = Path("/proc/driver/nvidia/gpus")


@dataclass(frozen=True)
class Tuned:
    """What was measured of one model on this machine."""

    model: str
    rows: tuple[dict[str, Any], ...]
    """A flat row an engine: engine, precision, agreement_percent, valid, reason, p50_ms, …"""
    chosen: str
    """The engine whose median latency is lowest among those that passed, such as openvino-cpu:bf16."""
    environment: dict[str, Any]
    gate: str
    """On which images the answers were compared, in words."""


def cache_folder() -> Path:
    return default_runs_folder() / ".engines"


def cache_file(file: Path) -> Path:
    """Where what was measured of a model is kept: another file, machine or library, another place."""
    said = json.dumps([_hash_files(file), environment()], sort_keys=True)
    return cache_folder() / f"{sha256(said.encode()).hexdigest()[:20]}.json"


def environment() -> dict[str, Any]:
    """What the speed of an engine depends on."""
    limit = {"threads": threads} if (threads := allowed_threads()) else {}
    if (usable := usable_cores()) != os.cpu_count():
        limit["usable_cores"] = usable
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "libraries": _libraries(),
        **limit,
        **_gpus(),
    }


def read_tuned(file: Path) -> Tuned | None:
    """What was measured of this very file on this machine; None if nothing was.

    A damaged file counts as nothing: it is measured again.
    """
    try:
        stored = read_json(cache_file(file))
        if stored["format"] != FORMAT:
            return None
        return Tuned(
            str(stored["model"]), tuple(stored["rows"]), str(stored["chosen"]),
            dict(stored["environment"]), str(stored["gate"]),
        )  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return None


def engine_for(file: Path, asked: str = "") -> str:
    """The engine asked for, else the one forced for this process, else the fastest that agrees.

    Returns:
        A name that `find_choice` takes; empty where nothing was asked for or measured.
    """
    if said := asked or os.environ.get(FORCED, ""):
        return said
    tuned = read_tuned(file)
    return tuned.chosen if tuned else ""


def _hash_files(file: Path) -> list[str]:
    """Of the model's files of every precision: a new int8 file is a new candidate."""
    if not file.is_file():
        raise ModelError(f"There is no model file at {file}: check the path.")
    paths = [file_for(file, precision) for precision in FILE_PRECISIONS]
    return [hash_file(path) if path.is_file() else "" for path in paths]


def _gpus() -> dict[str, Any]:
    """Which there are and may be used; nothing where there is no driver."""
    if not has_nvidia_gpu():
        return {}
    return {
        "gpus": sorted(path.read_text().partition("\n")[0] for path in GPUS.glob("*/information")),
        "gpu_driver": nvidia_driver(),
        "visible_gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
    }


@cache
def _libraries() -> dict[str, str]:
    return {name: found for name in LIBRARIES if (found := _version(name))}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


@cache
def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    kept = {"model name", "flags", "Features"}
    said = {
        line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in lines if ":" in line
    }
    # The features stand for the chip where a virtual machine hides its name.
    return sha256(json.dumps({key: said.get(key) for key in sorted(kept)}).encode()).hexdigest()[
        :12
    ]
