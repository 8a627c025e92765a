"""Training figures of short stretches of a run, taken apart from means over an epoch so far.

A step's event tells the mean since its epoch began. Drawn as it is, that lags behind within an
epoch and jumps at its end. The mean over the stretch between two events follows from the two.
"""

from __future__ import annotations

from dataclasses import dataclass

from resnet_core.runs.history import History, Point

MOST_WINDOWS = 128  # wide enough that one is thousands of images, fine enough for a bend


@dataclass(frozen=True)
class Window:
    """Means over the `steps` steps that end at `end`."""

    end: Point
    steps: int
    train_loss: float
    train_error_percent: float
    images_per_second: float


def train_windows(history: History) -> list[Window]:
    """The run in stretches of about equal length, none over an epoch's end.

    Their means weighted by their steps are exactly the epoch's.
    """
    points = points_by_step(history)
    if not points:
        return []
    wanted = _wanted_steps(points[-1].step)
    windows: list[Window] = []
    start: Point | None = None
    for point in points:
        since = point.step - (start.step if start else 0)
        ends_epoch = point.step % history.steps_per_epoch == 0
        if since >= wanted or ends_epoch or point is points[-1]:
            windows.append(_window(history, start, point))
            start = point
    return windows


def points_by_step(history: History) -> list[Point]:
    """Steps and epochs in order; where the two fall together, the epoch."""
    return sorted(
        {p.step: p for p in (*history.steps, *history.epochs)}.values(), key=lambda p: p.step
    )


def _wanted_steps(steps: int) -> int:
    """A power of two, so that windows rarely change their borders while the run grows."""
    wanted = 1
    while steps > MOST_WINDOWS * wanted:
        wanted *= 2
    return wanted


def _window(history: History, start: Point | None, end: Point) -> Window:
    steps = end.step - (start.step if start else 0)
    seconds = end.train_seconds - (start.train_seconds if start else 0.0)
    done = _steps_in_epoch(history, end)
    before = start if start and steps < done else None  # None: the epoch began with this window
    before_steps = done - steps if before else 0
    counted = done - before_steps

    def mean(at_end: float, at_start: float) -> float:
        return (at_end * done - at_start * before_steps) / counted

    return Window(
        end=end,
        steps=counted,
        train_loss=mean(end.train_loss, before.train_loss if before else 0.0),
        train_error_percent=mean(
            end.train_error_percent, before.train_error_percent if before else 0.0
        ),
        images_per_second=steps * history.batch_size / seconds
        if seconds > 0
        else end.images_per_second,
    )


def _steps_in_epoch(history: History, point: Point) -> int:
    return (point.step - 1) % history.steps_per_epoch + 1
