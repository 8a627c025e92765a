"""A brief probe before a long run: how fast this net trains here, how long, in how much memory."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import torch

from resnet_core.data.dataset import Split, load_dataset
from resnet_core.errors import ConfigError
from resnet_core.events import Event, Prepared, Started, Stepped
from resnet_core.models.network import PixelModel
from resnet_core.runs.folder import RunFolder
from resnet_core.training.config import TrainConfig
from resnet_core.training.cpu_kernels.use import trains_in_chains
from resnet_core.training.evaluate import EVALUATION_BATCH, evaluate
from resnet_core.training.hardware import COMPILE_PAYS_AFTER_IMAGES, Hardware, choose_hardware
from resnet_core.training.loop import train
from resnet_core.training.setup import images_to_compile_for

PROBE_EVENTS = 3  # about a second apart; what the first one timed was warming up
PROBE_EPOCHS = 1e6  # without end: the probe stops it
SHORTEST_EPOCHS = 0.1


@dataclass(frozen=True)
class Estimate:
    """What a run will take, from a few seconds of it."""

    epochs: float
    images_per_second: float
    """Training throughput as the probe saw it, the step not compiled."""
    epoch_seconds: float
    """One pass over the training images and one over the validation images."""
    total_seconds: float
    """The whole run with its preparation and its last reading of the test images, without its
    checkpoints; compiling makes long runs faster."""
    memory_mb: float
    """Peak memory: of the process, or of the GPU where one is used."""
    device: str
    precision: str
    compiled: bool
    """Whether the run itself will be compiled."""
    prepare_seconds: float = 0.0
    """Of the total: computing features of all pictures before the first step, where parts are frozen."""


def estimate(config: TrainConfig) -> Estimate:
    """Train for about three seconds in a temporary folder, and reckon from there.

    Raises:
        LabError: the config or its data can't be used.
    """
    dataset = load_dataset(config.data, Path(config.data_folder))
    probe = _probe_of(config, len(dataset.train))
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as folder:
        events = train(probe, dataset, RunFolder(Path(folder)))
        started = next(events)
        assert isinstance(started, Started)
        first, last, prepare_seconds = _probe(events)
        events.close()  # type: ignore[attr-defined]
    step_seconds = (last.at - first.at) / (last.step - first.step)
    steps_per_epoch = started.steps_per_epoch
    epoch_images = steps_per_epoch * config.recipe.batch_size
    images = images_to_compile_for(config.recipe, round(config.recipe.epochs * epoch_images))
    hardware = _hardware_for(config, images)
    image_seconds = _evaluation_seconds(config, dataset.test)
    epoch_seconds = steps_per_epoch * step_seconds + started.validation_images * image_seconds
    test_seconds = len(dataset.test) * image_seconds
    return Estimate(
        epochs=config.recipe.epochs,
        images_per_second=config.recipe.batch_size / step_seconds,
        epoch_seconds=epoch_seconds,
        total_seconds=prepare_seconds + config.recipe.epochs * epoch_seconds + test_seconds,
        memory_mb=_peak_memory_mb(hardware.device),
        device=started.device,
        precision=started.precision,
        compiled=hardware.compiled,
        prepare_seconds=prepare_seconds,
    )


def _probe_of(config: TrainConfig, train_images: int) -> TrainConfig:
    """Long enough to be measured, whatever was asked for, by the kernels that the run itself uses."""
    images = images_to_compile_for(config.recipe, round(config.recipe.epochs * train_images))
    hardware = _hardware_for(config, images)
    if not hardware.own_kernels:
        return replace(config, compile="off", recipe=config.recipe.changed(epochs=PROBE_EPOCHS))
    # Compiling the step would take longer than the probe.
    epochs = (COMPILE_PAYS_AFTER_IMAGES - 1) / train_images
    return replace(config, compile="auto", recipe=config.recipe.changed(epochs=epochs))


def _hardware_for(config: TrainConfig, images: int) -> Hardware:
    return choose_hardware(
        config.device,
        config.precision,
        config.compile,
        images,
        in_chains=trains_in_chains(config.model),
    )


def _probe(events: Iterator[Event]) -> tuple[Stepped, Stepped, float]:
    """The first and the last step of a brief training, and the seconds that preparing it took."""
    steps: list[Stepped] = []
    prepare_seconds = 0.0
    for event in events:
        if isinstance(event, Prepared):
            prepare_seconds = event.seconds
        if isinstance(event, Stepped):
            steps.append(event)
        if len(steps) == PROBE_EVENTS:
            break
    return steps[0], steps[-1], prepare_seconds


def fit_to_minutes(config: TrainConfig, minutes: float) -> TrainConfig:
    """The same run with as many epochs as fit into the time, in steps of a tenth.

    Raises:
        ConfigError: no time at all.
    """
    if not 0 < minutes < float("inf"):
        raise ConfigError(f"Minutes should be more than 0, not {minutes:g}.")
    found = estimate(config)
    other_seconds = found.total_seconds - found.epochs * found.epoch_seconds
    epochs = (60 * minutes - other_seconds) / found.epoch_seconds
    # Whole epochs where there are any: their ends are measured and kept.
    epochs = float(int(epochs)) if epochs >= 1 else max(SHORTEST_EPOCHS, round(epochs, 1))
    return replace(config, recipe=config.recipe.changed(epochs=epochs))


def _evaluation_seconds(config: TrainConfig, split: Split) -> float:
    """Seconds to evaluate one image, in batches."""
    hardware = choose_hardware(config.device, config.precision, "off", 0)
    size = split.images.shape[1:]
    model = PixelModel(config.model, torch.zeros(size), torch.ones(size)).to(hardware.device)
    few = split.take(torch.arange(min(len(split), EVALUATION_BATCH))).to(hardware.device)
    evaluate(model, few, hardware)
    began = monotonic()
    evaluate(model, few, hardware)
    return (monotonic() - began) / len(few)


def _peak_memory_mb(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
