"""A run's events once more, as TensorBoard reads them: `<run>/tensorboard/`, on request.

The x axis is the step, the wall time that of the event. Scalars are float32, as the format has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from resnet_core.errors import RunError
from resnet_core.events import EpochFinished, Event, Finished, Started, Stepped
from resnet_core.runs.folder import RunFolder

Mirror = Callable[[Iterable[Event]], Iterator[Event]]


def choose_mirror(folder: RunFolder, is_wanted: bool) -> Mirror:
    """What events pass through on their way to whoever watches: nothing, if it is not wanted.

    Raises:
        RunError: the library is not installed.
    """
    return partial(_mirror, folder, _import_writer()) if is_wanted else iter


def _import_writer() -> Any:
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        raise RunError(
            "TensorBoard is not installed here: `python -m pip install tensorboard`, "
            "or train without --tensorboard."
        ) from None
    return SummaryWriter


def _mirror(folder: RunFolder, writer_class: Any, events: Iterable[Event]) -> Iterator[Event]:
    """Write each event's figures, then pass it on.

    A part resumed from step S tells readers to drop what stands after S: it is done again.
    """
    writer = None
    last_steps: dict[str, int] = {}
    try:
        for event in events:
            if isinstance(event, Started):
                writer = writer_class(folder.tensorboard_folder, purge_step=event.step + 1)
            for tag, value in scalars(event).items():
                step = event.to_dict()["step"]
                # An epoch's end may fall on a step just reported; the figures are the same.
                if last_steps.get(tag) != step:
                    last_steps[tag] = step
                    writer.add_scalar(tag, value, step, walltime=event.at)  # type: ignore[union-attr]
            if writer is not None:
                writer.flush()
            yield event
    finally:
        if writer is not None:
            writer.close()


def scalars(event: Event) -> dict[str, float]:
    """The figures of an event by tag; what was not measured is left out."""
    match event:
        case Stepped():
            found = _training_scalars(event)
        case EpochFinished():
            found = _training_scalars(event) | {
                "loss/validation": event.validation_loss,
                "error_percent/validation": event.validation_error_percent,
            }
        case Finished():
            found = {"loss/test": event.test_loss, "error_percent/test": event.test_error_percent}
        case _:
            found = {}
    return {tag: value for tag, value in found.items() if value is not None}


def _training_scalars(event: Stepped | EpochFinished) -> dict[str, float | None]:
    return {
        "loss/train": event.train_loss,
        "error_percent/train": event.train_error_percent,
        "lr": event.lr,
        "images_per_second": event.images_per_second,
        **{f"gradient_norm/{part}": norm for part, norm in event.gradient_norms.items()},
    }
