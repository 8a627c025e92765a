"""How a model is to be served: by which engine, on what, in which batches."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_core.errors import ConfigError

# engine → the devices it serves on, the usual one first
DEVICES = {"onnxruntime": ("cpu", "gpu"), "tensorrt": ("gpu",), "openvino": ("cpu",)}
DELAY_AT_MOST_US = 1_000_000


@dataclass(frozen=True)
class ServingSettings:
    """What `python -m export triton` lets one choose.

    Raises:
        ConfigError: something does not make sense; every problem at once.
    """

    engine: str = "onnxruntime"
    """onnxruntime; or what ONNX Runtime hands the net to: tensorrt (NVIDIA GPUs) or openvino (CPUs)"""
    device: str | None = None
    """cpu or gpu (default: gpu with tensorrt, else cpu)"""
    instances: int = 1
    """copies of the model that work at the same time, on each GPU or on the CPU"""
    max_batch_size: int = 64
    """images in one batch at the most, in a request or gathered from several"""
    queue_delay_us: int = 500
    """microseconds that a request may wait for others to share its batch"""

    def __post_init__(self) -> None:
        problems = list(self._problems())
        if problems:
            raise ConfigError(problems)

    def _problems(self) -> list[str]:
        problems = []
        devices = DEVICES.get(self.engine)
        if devices is None:
            problems.append(f"Unknown engine '{self.engine}': choose one of {', '.join(DEVICES)}.")
        elif self.device not in (None, *devices):
            problems.append(
                f"{self.engine} does not serve on '{self.device}': choose {' or '.join(devices)}."
            )
        problems += [
            f"--{name} should be at least 1, not {value}."
            for name, value in (
                ("instances", self.instances),
                ("max-batch-size", self.max_batch_size),
            )
            if value < 1
        ]
        if not 0 <= self.queue_delay_us <= DELAY_AT_MOST_US:
            problems.append(
                f"--queue-delay-us should be from 0 to {DELAY_AT_MOST_US:,}, "
                f"not {self.queue_delay_us:,}."
            )
        return problems

    @property
    def serves_on(self) -> str:
        """cpu or gpu."""
        return self.device or DEVICES[self.engine][0]
