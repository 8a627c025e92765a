"""What a measurement of the app under load is asked."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_core.errors import ConfigError


@dataclass(frozen=True)
class UnderLoadSettings:
    """The options of `python -m benchmarks under-load`."""

    clients: int = 64
    """Clients that ask at once, each its next question as soon as the last is answered."""
    seconds: float = 300.0
    """How long they ask."""
    warm_up_seconds: float = 60.0
    """From the start on, left out of the slope of memory; at most half of the time."""
    model: str = "resnet20_v1"
    """Exported model that answers."""
    engine: str = "onnxruntime-cpu"
    """Engine that runs it."""
    pictures: int = 48
    """Different pictures, of several sizes and formats; each client begins at another."""
    burst: int = 600
    """Questions put at once afterwards, more than may wait: those beyond must be told so."""

    def __post_init__(self) -> None:
        problems = [
            f"--{name.replace('_', '-')} should be at least {least}, not {getattr(self, name)}."
            for name, least in (("clients", 1), ("seconds", 1), ("pictures", 2), ("burst", 0))
            if getattr(self, name) < least
        ]
        if problems:
            raise ConfigError(problems)
