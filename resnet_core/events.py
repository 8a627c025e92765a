"""What a training run says while it works: plain objects, one for each thing that happened.

The loop yields them, the recorder writes them down, screens show them; the loop never knows who
listens. Errors are in percent, durations in seconds, instants in seconds since 1970.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from time import time
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """Base of all events; `kind` names them in the file."""

    kind: ClassVar[str] = ""
    at: float = field(default_factory=time, kw_only=True)

    def to_dict(self) -> dict[str, Any]:
        return {"event": self.kind, **asdict(self)}


@dataclass(frozen=True)
class Started(Event):
    """A run begins, or goes on after a stop from `step`."""

    kind = "started"
    step: int
    total_steps: int
    steps_per_epoch: int
    train_images: int
    validation_images: int
    device: str
    precision: str
    compiled: bool
    devices: int
    """Processes that train together, one a device."""
    global_batch_size: int
    """Images in a step, over all devices."""
    lr_scale: int
    """What the recipe's learning rate is multiplied by for that."""
    learns: str = ""
    """What learns, in words, where not all of the net does."""
    own_kernels: bool = False
    """Whether blocks train by this kit's own kernels, where they can."""


@dataclass(frozen=True)
class Prepared(Event):
    """Before the first step of a process: what the frozen parts make of all pictures is computed."""

    kind = "prepared"
    step: int
    seconds: float
    """How long that took; a run that is resumed does it again."""


@dataclass(frozen=True)
class Stepped(Event):
    """Progress, about once a second. Loss and error are the mean over this epoch so far.

    `gradient_norms` are those of the step itself: L2 over each part of the net, before the
    optimiser moved.
    """

    kind = "step"
    step: int
    total_steps: int
    epoch: int
    lr: float
    train_loss: float
    train_error_percent: float
    images_per_second: float
    eta_seconds: float
    gradient_norms: dict[str, float]


@dataclass(frozen=True)
class EpochFinished(Event):
    """An epoch ended. Train figures are the running mean over its augmented images.

    `gradient_norms` are those of its last step.
    """

    kind = "epoch"
    epoch: int
    step: int
    lr: float
    train_loss: float
    train_error_percent: float
    validation_loss: float | None
    validation_error_percent: float | None
    images_per_second: float
    train_seconds: float
    """Seconds spent in steps since the run began: preparation, evaluation and checkpoints left out."""
    eta_seconds: float
    gradient_norms: dict[str, float]


@dataclass(frozen=True)
class Stopped(Event):
    """The run was asked to stop; its checkpoint stands at `step`."""

    kind = "stopped"
    step: int


@dataclass(frozen=True)
class Finished(Event):
    """The run is done; the test split was read once, with the weights that were kept."""

    kind = "finished"
    step: int
    kept_epoch: int
    test_loss: float
    test_error_percent: float
    train_seconds: float
    majority_error_percent: float | None = None
    """What always guessing the class with the most training images would have on the same images."""
    prepare_seconds: float = 0.0
    """Seconds spent on computing features, over all processes that worked on the run."""
