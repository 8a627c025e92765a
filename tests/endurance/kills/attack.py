"""What an attack is: something that works for a while, and what must hold whenever it is killed."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMES = {"at", "train_seconds", "images_per_second", "eta_seconds", "measured_at"}


@dataclass(frozen=True)
class Attack(ABC):
    """One kind of work. Every method runs in a process of its own and raises where it fails."""

    name: str
    share: int
    """How many of a hundred kills are aimed at it."""

    def prepare(self, shared: Path) -> None:  # noqa: B027  # nothing, unless an attack has something to do
        """Make, once, what all its rounds start from."""

    @abstractmethod
    def work(self, shared: Path, folder: Path) -> object:
        """Do it from wherever it stands in `folder`; gives the exit status."""

    @abstractmethod
    def check(self, folder: Path) -> str:
        """After a kill: nothing half is to be seen. Gives the state it stands in, in a word."""

    @abstractmethod
    def result(self, folder: Path) -> Any:
        """What it came to, without times; equal for a broken and an unbroken one."""

    def end_all(self, folder: Path) -> None:  # noqa: B027  # nothing, unless an attack has something to do
        """Kill what the killed process had started besides."""


def check_files(folder: Path) -> None:
    """Every file under a final name is whole: it reads as what its name says."""
    for path in visible_files(folder):
        match path.suffix:
            case ".json":
                json.loads(path.read_text(encoding="utf-8"))
            case ".jsonl":  # a torn last line is tolerated by every reader
                for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
                    assert not line or json.loads(line)
            case ".safetensors" | ".state":
                from safetensors import safe_open

                with safe_open(path, framework="pt") as file:
                    assert all(file.get_tensor(name) is not None for name in file.keys())  # noqa: SIM118
            case ".onnx":
                import onnx

                onnx.checker.check_model(onnx.load(path), full_check=True)
            case ".npz":
                import numpy as np

                with np.load(path, allow_pickle=False) as arrays:
                    assert [arrays[name].shape for name in arrays]


def visible_files(folder: Path) -> Iterator[Path]:
    """Those that a person or a reader sees: hidden ones are temporary, or locks."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts):
            yield path


def without_times(value: dict[str, Any]) -> dict[str, Any]:
    return {key: part for key, part in value.items() if key not in TIMES}
