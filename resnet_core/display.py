"""How a command line shows a run: a progress bar in a terminal, plain lines in a pipe, or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable

from resnet_core.events import (
    EpochFinished,
    Event,
    Finished,
    Prepared,
    Started,
    Stepped,
    Stopped,
)
from resnet_core.plural import counted


def show_events(events: Iterable[Event], as_json: bool = False) -> None:
    """Print events as they come, in the way that whoever reads them can use."""
    if as_json:
        for event in events:
            print(json.dumps(event.to_dict()), flush=True)
    elif sys.stdout.isatty():
        _show_in_terminal(events)
    else:
        for event in events:
            if not isinstance(event, Stepped):
                print(describe_event(event), flush=True)


def _show_in_terminal(events: Iterable[Event]) -> None:
    try:
        from rich.progress import BarColumn, Progress, TextColumn
    except ImportError:  # a GPU box has PyTorch and little else
        _show_on_one_line(events)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.1f} %"))
    with Progress(*columns) as progress:
        task = progress.add_task("starting", total=None)
        for event in events:
            if isinstance(event, Stepped):
                progress.update(
                    task,
                    total=event.total_steps,
                    completed=event.step,
                    description=describe_progress(event),
                )
            else:
                progress.console.print(describe_event(event), highlight=False, markup=False)


def _show_on_one_line(events: Iterable[Event]) -> None:
    for event in events:
        if isinstance(event, Stepped):
            share = 100 * event.step / event.total_steps
            print(f"\r{describe_progress(event)}  {share:5.1f} %   ", end="", flush=True)
        else:
            print(f"\r{describe_event(event):<100}", flush=True)


def describe_progress(event: Stepped) -> str:
    """Where the run stands, in one short line."""
    return (
        f"epoch {event.epoch:3d}  train {event.train_error_percent:5.2f} %  "
        f"{event.images_per_second:,.0f} images/s  {clock(event.eta_seconds)} left"
    )


def clock(seconds: float) -> str:
    """1:02:03 or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def describe_event(event: Event) -> str:
    """One plain line, with units."""
    match event:
        case Started():
            fresh = "Training" if event.step == 0 else f"Resuming at step {event.step:,}"
            compiled = ", compiled" if event.compiled else ""
            kernels = ", own kernels" if event.own_kernels else ""
            learning = f"; {event.learns}" if event.learns else ""
            together = (
                f"; {event.devices} devices, {event.global_batch_size:,} images a step together, "
                f"learning rate × {event.lr_scale}, batch norm by each device's own images"
                if event.devices > 1
                else ""
            )
            return (
                f"{fresh}: {counted(event.total_steps, 'step')} on {counted(event.train_images, 'image')}, "
                f"{event.device} {event.precision}{compiled}{kernels}{learning}{together}"
            )
        case Prepared():
            return f"Features of all pictures computed in {event.seconds:,.1f} s."
        case EpochFinished():
            validation = (
                f"  validation {event.validation_error_percent:5.2f} %"
                if event.validation_error_percent is not None
                else ""
            )
            return (
                f"epoch {event.epoch:3d}  train {event.train_error_percent:5.2f} %{validation}"
                f"  loss {event.train_loss:.4f}  lr {event.lr:.2e}"
                f"  {event.images_per_second:,.0f} images/s  {clock(event.train_seconds)}"
                f"  {clock(event.eta_seconds)} left"
            )
        case Stopped():
            return f"Stopped at step {event.step:,}; the checkpoint is written."
        case Finished():
            guess = (
                f"; always guessing the commonest class: {event.majority_error_percent:.2f} %"
                if event.majority_error_percent is not None
                else ""
            )
            prepared = (
                f" after {event.prepare_seconds:,.0f} s for features"
                if event.prepare_seconds
                else ""
            )
            return (
                f"Finished: test error {event.test_error_percent:.2f} %{guess} "
                f"(weights of epoch {event.kept_epoch}), {event.train_seconds:,.0f} s of training"
                f"{prepared}"
            )
    return event.kind
