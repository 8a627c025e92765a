"""The curves of a run, read from its folder: cheap to ask for every second while the run lives."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from resnet_core.errors import RunError, briefly
from resnet_core.runs.folder import RunFolder

MOST_STEP_POINTS = 600  # more than a screen has pixels to tell them apart
MOST_READINGS = 256
TAIL_BYTES = 512


@dataclass(frozen=True)
class Point:
    """A run's figures at one step; an epoch's last step has validation figures where it has a split."""

    step: int
    epoch: float
    """Epochs done, counted in steps: 1.5 is half-way through the second."""
    images: int
    train_seconds: float
    """Seconds spent in steps so far, preparation, evaluation and checkpoints left out."""
    train_loss: float
    train_error_percent: float
    """Mean over the images of this epoch so far, as they were augmented."""
    lr: float
    images_per_second: float
    validation_loss: float | None = None
    validation_error_percent: float | None = None
    gradient_norms: Mapping[str, float] = field(default_factory=dict)
    """L2 norm of the gradient by part of the net; empty where the run did not record it."""


@dataclass(frozen=True)
class History:
    """What a run has shown so far. A run that has not begun has no points and no steps."""

    steps: tuple[Point, ...] = ()
    """About one a second, thinned evenly to a few hundred; the newest is always among them."""
    epochs: tuple[Point, ...] = ()
    """One an epoch, all of them."""
    total_steps: int = 0
    steps_per_epoch: int = 0
    batch_size: int = 0
    """Images in a step, over all devices."""
    eta_seconds: float | None = None
    best_validation_error_percent: float | None = None
    test_error_percent: float | None = None

    @property
    def last(self) -> Point | None:
        """The newest point of either kind."""
        newest = [points[-1] for points in (self.steps, self.epochs) if points]
        return max(newest, key=lambda point: point.step) if newest else None


def read_history(folder: RunFolder, is_kept: bool = True) -> History:
    """The run's points so far; what was read and kept before is not read again.

    Steps a resumed run did again replace those it did before, as in `RunFolder.events`.

    Args:
        is_kept: whether to go on from here the next time. A look at every run that there is would
            push out those that are looked at again and again.

    Raises:
        RunError: the folder holds no run.
    """
    file = folder.events_file
    with _lock:
        known = _readings.pop(file, None)
        reading = known or _Reading(_step_images(folder))
        reading.catch_up(file)
        if is_kept or known:
            _readings[file] = reading  # the last place: the first is forgotten first
        while len(_readings) > MOST_READINGS:
            del _readings[next(iter(_readings))]
        return reading.history()


def step_images(trained: Mapping[str, Any]) -> int:
    """Images in a step over all devices, as events count them; the recipe has those of one device.

    Args:
        trained: a run's config, or the card of a net that ships: they say it alike.
    """
    devices = int(trained.get("devices", 1))  # the first versions had one, and did not say so
    return int(trained["recipe"]["batch_size"]) * devices


def _step_images(folder: RunFolder) -> int:
    """Those of a run.

    Raises:
        RunError: the folder holds no run, or its config is damaged.
    """
    config = folder.config()
    try:
        return step_images(config)
    except (LookupError, TypeError, ValueError) as error:
        raise RunError(f"{folder.config_file} is damaged ({briefly(error)}).") from None


def read_history_csv(path: Path, batch_size: int) -> History:
    """The curves that a shipped model keeps: one point an epoch.

    Args:
        path: the `history.csv` beside its weights.
        batch_size: images in one of its training steps, over all devices.

    Raises:
        RunError: the file is missing or damaged.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            epochs = tuple(_row_point(row, batch_size) for row in csv.DictReader(file))
    except (OSError, LookupError, ValueError, TypeError, OverflowError, csv.Error) as error:
        raise RunError(f"{path} can't be read as a training history ({briefly(error)}).") from None
    total = epochs[-1].step if epochs else 0
    return History(
        epochs=epochs,
        total_steps=total,
        steps_per_epoch=round(total / len(epochs)) if epochs else 0,
        batch_size=batch_size,
    )


def _row_point(row: dict[str, str], batch_size: int) -> Point:
    rate, seconds = float(row["images_per_second"]), float(row["train_seconds"])
    images = round(rate * seconds)  # the rate is the mean since the run began
    return Point(
        step=round(images / batch_size),
        epoch=float(row["epoch"]),
        images=images,
        train_seconds=seconds,
        train_loss=float(row["train_loss"]),
        train_error_percent=float(row["train_error_percent"]),
        lr=float(row["lr"]),
        images_per_second=rate,
        validation_loss=_optional(row["validation_loss"]),
        validation_error_percent=_optional(row["validation_error_percent"]),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _optional(text: str) -> float | None:
    return float(text) if text else None


class _Reading:
    """One events file, read up to `offset`."""

    def __init__(self, batch_size: int):
        self.batch_size = batch_size
        self._forget()

    def _forget(self) -> None:
        self.offset = 0
        self.tail = b""
        self.file_id: tuple[int, int] | None = None
        self.steps: list[Point] = []
        self.epochs: list[Point] = []
        self.started: dict[str, Any] = {}
        self.clock_step = 0
        self.clock_seconds = 0.0
        self.eta_seconds: float | None = None
        self.test_error_percent: float | None = None
        self.made: History | None = None

    def catch_up(self, path: Path) -> None:
        try:
            file = open(path, "rb")  # noqa: SIM115
        except FileNotFoundError:
            return self._forget()
        with file:
            file.seek(0, 2)
            end = file.tell()
            if not self._continues(file, end, path):
                self._forget()
            self.file_id = _file_id(path)
            if end == self.offset:
                return None
            file.seek(self.offset)
            # What follows the last line end is still being written, or was torn by a kill.
            whole, newline, _ = file.read(end - self.offset).rpartition(b"\n")
        if newline:
            self.offset += len(whole) + 1
            self.tail = (self.tail + whole + newline)[-TAIL_BYTES:]
            self.made = None
            for line in whole.split(b"\n"):
                self._take(line)
        return None

    def _continues(self, file: Any, end: int, path: Path) -> bool:
        """Whether the file still begins with what was read: not replaced, cut or written anew."""
        if self.file_id not in (None, _file_id(path)) or end < self.offset:
            return False
        file.seek(self.offset - len(self.tail))
        return bool(file.read(len(self.tail)) == self.tail)

    def _take(self, line: bytes) -> None:
        """Add what a line says; one that was edited into nonsense says nothing."""
        try:
            event = json.loads(line.decode("utf-8", errors="replace"))
            if isinstance(event, dict):
                self._add(event)
        except (
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            ArithmeticError,
            RecursionError,
        ):
            return

    def _add(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "started":
                self._start(event)
            case "step":
                self.steps.append(self._point(event))
                self.eta_seconds = float(event["eta_seconds"])
            case "epoch":
                point = self._point(event)
                self.epochs.append(point)
                self.clock_step, self.clock_seconds = point.step, point.train_seconds
                self.eta_seconds = float(event["eta_seconds"])
            case "finished":
                self.test_error_percent = float(event["test_error_percent"])
                self.eta_seconds = None
            case "stopped":
                self.eta_seconds = None

    def _start(self, event: dict[str, Any]) -> None:
        step = int(event.get("step", 0))
        self.steps = [point for point in self.steps if point.step <= step]
        self.epochs = [point for point in self.epochs if point.step <= step]
        counts = {key: int(event.get(key, 0)) for key in ("total_steps", "steps_per_epoch")}
        self.started = event | counts
        self.eta_seconds = self.test_error_percent = None
        points = sorted([*self.steps[-1:], *self.epochs[-1:]], key=lambda point: point.step)
        self.clock_step, self.clock_seconds = step, 0.0
        if points:
            last = points[-1]
            rest = (step - last.step) * self.batch_size / last.images_per_second
            self.clock_seconds = last.train_seconds + rest

    def _point(self, event: dict[str, Any]) -> Point:
        step = int(event["step"])
        # A step's rate is that since its epoch began, or since the run was resumed.
        since = (step - self.clock_step) * self.batch_size / event["images_per_second"]
        return Point(
            step=step,
            epoch=step / self.started["steps_per_epoch"],
            images=step * min(self.batch_size, self.started["train_images"]),
            train_seconds=float(event.get("train_seconds", self.clock_seconds + since)),
            train_loss=float(event["train_loss"]),
            train_error_percent=float(event["train_error_percent"]),
            lr=float(event["lr"]),
            images_per_second=float(event["images_per_second"]),
            validation_loss=_number(event.get("validation_loss")),
            validation_error_percent=_number(event.get("validation_error_percent")),
            gradient_norms={k: float(v) for k, v in (event.get("gradient_norms") or {}).items()},
        )

    def history(self) -> History:
        if self.made is None:
            errors = [point.validation_error_percent for point in self.epochs]
            self.made = History(
                steps=thin(self.steps),
                epochs=tuple(self.epochs),
                total_steps=self.started.get("total_steps", 0),
                steps_per_epoch=self.started.get("steps_per_epoch", 0),
                batch_size=self.batch_size,
                eta_seconds=self.eta_seconds,
                best_validation_error_percent=min(
                    (error for error in errors if error is not None), default=None
                ),
                test_error_percent=self.test_error_percent,
            )
        return self.made


def thin(points: list[Point], most: int = MOST_STEP_POINTS) -> tuple[Point, ...]:
    """Every 1st, 2nd, 4th, … point so that at most `most` remain, and the newest.

    With powers of two, points that stay were there before: a growing curve does not flicker.
    """
    stride = 1
    while len(points) > most * stride:
        stride *= 2
    kept = points[::stride]
    if points and kept[-1] is not points[-1]:
        kept.append(points[-1])
    return tuple(kept)


def _file_id(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_dev, stat.st_ino


_lock = Lock()
_readings: dict[Path, _Reading] = {}
