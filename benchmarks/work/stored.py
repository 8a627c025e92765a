"""Depth against work as a file: what was counted and timed, with its command and machine. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.work.papers import SOURCE
from benchmarks.work.rows import INPUT_SIZE, CountedNet, TimedNet
from resnet_core.errors import ConfigError
from resnet_core.files import read_json

FORMAT = "resnet-lab-work-1"
SHIPPED_FILE = Path(__file__).resolve().parents[2] / "studies" / "work" / "photo-nets.json"
COMMAND = "python -m benchmarks depth-against-work"


@dataclass(frozen=True)
class StoredWork:
    """Nets for photos, counted; some of them timed."""

    nets: tuple[CountedNet, ...]
    times: tuple[TimedNet, ...]
    """Empty where nothing was timed."""
    command: str
    environment: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "command": self.command,
            "input_size": INPUT_SIZE,
            "paper": SOURCE,
            "environment": self.environment,
            "nets": [net.to_dict() for net in self.nets],
            "times": [net.to_dict() for net in self.times],
        }


def read_work(file: Path = SHIPPED_FILE) -> StoredWork:
    """What `depth-against-work --json` printed.

    Raises:
        ConfigError: the file is missing, damaged, or of another kind.
    """
    try:
        stored = read_json(file)
        if stored["format"] != FORMAT:
            raise KeyError(FORMAT)
        return StoredWork(
            tuple(CountedNet(**net) for net in stored["nets"]),
            tuple(_timed(net) for net in stored["times"]),
            str(stored["command"]),
            dict(stored["environment"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(
            f"{file} holds no counted nets: write it with `{COMMAND} --json`."
        ) from None


def _timed(stored: dict[str, Any]) -> TimedNet:
    return TimedNet(**{**stored, "rounds_ms": tuple(stored["rounds_ms"])})
