"""A run from its folder to its summary: claims it, records the loop, tells the end."""

from __future__ import annotations

import errno
import shlex
import subprocess
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from resnet_core.data.dataset import Dataset, count_held_out, load_dataset
from resnet_core.errors import ConfigError, LabError, RunError
from resnet_core.events import EpochFinished, Event, Finished, Started, Stopped
from resnet_core.files import write_json, write_text
from resnet_core.models.config import ModelConfig
from resnet_core.models.cost import count_cost
from resnet_core.runs.claims import claim, refuse_if_finished
from resnet_core.runs.exports import remove_exports
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.recorder import record
from resnet_core.runs.tensorboard import choose_mirror
from resnet_core.training.config import TrainConfig
from resnet_core.training.distributed import ALONE, Team
from resnet_core.training.hardware import choose_hardware, describe_environment
from resnet_core.training.kept_memory import keep_what_is_freed
from resnet_core.training.loop import train
from resnet_core.training.new_run import program, read_config, times_tested

EARLIER = "earlier"
SAME_MACHINE = ("cpu", "cores", "gpu", "torch")
DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def execute(
    folder: RunFolder,
    tensorboard: bool | None = None,
    team: Team = ALONE,
    load: Callable[[str, Path], Dataset] = load_dataset,
) -> Iterator[Event]:
    """Train in the folder from where it stands, recording every event, to the end or to a stop.

    Args:
        tensorboard: from here on with TensorBoard's files, or without; None as before.
        team: the processes that do this side by side; its leader writes.
        load: what gives the data set of a name and a data folder.

    Raises:
        RunError: the run is finished, or another process works on it.
        LabError: data or options are at fault; the reason is in `error.txt` too.
    """
    team.follow_leader(lambda: _begin(folder, team.size))
    config = read_config(folder)  # until it was ours, an extension could still be taken back
    if tensorboard is not None:
        config = replace(config, tensorboard=tensorboard)
        if team.is_leader:
            write_json(folder.config_file, folder.config() | {"tensorboard": tensorboard})
    last_epoch: EpochFinished | None = None
    try:
        # Options are checked before the data is read or fetched.
        hardware = choose_hardware(config.device, config.precision, config.compile, 0, team)
        if hardware.device.type == "cpu":
            keep_what_is_freed()
        mirror = choose_mirror(folder, config.tensorboard)
        dataset = team.leader_first(lambda: load(config.data, Path(config.data_folder)))
        _check_fit(config, dataset)
        events = train(config, dataset, folder, team)
        for event in mirror(record(events, folder)) if team.is_leader else events:
            if isinstance(event, EpochFinished):
                last_epoch = event
            # Of earlier weights; at the end too, for a model may be exported while it trains.
            if isinstance(event, Started | Stopped | Finished) and team.is_leader:
                remove_exports(folder)
            if isinstance(event, Finished) and team.is_leader:
                write_json(folder.summary_file, _summarise(config, folder, event, last_epoch))
            yield event
    except LabError as error:
        _tell_failure(folder, f"{error}\n")
        raise
    except Exception as error:
        if not _is_disk_full(error):
            _tell_failure(folder, traceback.format_exc())
            raise
        full = RunError(
            f"The disk that holds {folder.name} is full: make room, then resume the run; "
            "its last checkpoint is whole."
        )
        _tell_failure(folder, f"{full}\n")
        raise full from None


def _begin(folder: RunFolder, processes: int) -> None:
    refuse_if_finished(folder)
    devices = read_config(folder).devices
    if devices != processes:
        words = shlex.join([*program(devices), "resume", str(folder.path)])
        raise RunError(
            f"Run {folder.name} trains with {devices} process(es), not {processes}: its steps "
            f"depend on that. Go on with `{words}`."
        )
    here = describe_environment() | {"commit": current_commit()}
    claim(folder, here | _earlier_machines(folder, here))


def _earlier_machines(folder: RunFolder, here: dict[str, Any]) -> dict[str, Any]:
    """The environments of other machines that the run was trained on before, oldest first."""
    if not folder.environment_file.exists():
        return {}
    before = {k: v for k, v in folder.environment().items() if not k.startswith("process_")}
    earlier = before.pop(EARLIER, [])
    if before and any(before.get(fact) != here.get(fact) for fact in SAME_MACHINE):
        earlier = [*earlier, before]
    return {EARLIER: earlier} if earlier else {}


def misfits(model: ModelConfig, dataset: Dataset) -> list[str]:
    """What keeps a net from being used on a data set, in a sentence."""
    classes, size = len(dataset.class_names), dataset.train.images.shape[1]
    if (model.classes, model.input_size) == (classes, size):
        return []
    return [
        f"This {model.name} tells {model.classes} classes apart in {model.input_size} x "
        f"{model.input_size} pixels, but {dataset.name} has {classes} classes and {size} x {size} "
        "pixels: use the data it was trained on, or train a net on these."
    ]


def _check_fit(config: TrainConfig, dataset: Dataset) -> None:
    """See that net, recipe and data belong together, before an epoch is spent on them.

    Raises:
        ConfigError: everything that does not fit.
    """
    recipe, n = config.recipe, len(dataset.train)
    problems = misfits(config.model, dataset)
    held_out = count_held_out(dataset, recipe.validation_images, config.split_seed)
    step_images = recipe.batch_size * config.devices
    if step_images > n - held_out:
        problems.append(
            f"A step takes {step_images} images, but there are {n - held_out} to train on: "
            f"choose --batch-size {max(1, (n - held_out) // (4 * config.devices))} or less."
        )
    if recipe.keep == "best" and not held_out:
        problems.append(
            f"Of {n} training images none can be set aside to choose the best epoch by: use "
            "--keep last, or 10 images and more, not all of them copies."
        )
    if problems:
        raise ConfigError(problems)


def _is_disk_full(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in DISK_IS_FULL


def _tell_failure(folder: RunFolder, reason: str) -> None:
    if folder.error_file.exists():  # of a team, the first to fail knows why
        return
    folder.reserve_file.unlink(missing_ok=True)  # the space this file is written into
    with suppress(OSError):  # whoever reads the output still learns the reason
        write_text(folder.error_file, reason)


def current_commit() -> str | None:
    """The commit of the code that runs, `+` where files were changed; None outside a checkout."""
    here = Path(__file__).parent
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
            cwd=here, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()


def _summarise(
    config: TrainConfig, folder: RunFolder, finished: Finished, last: EpochFinished | None
) -> dict[str, Any]:
    if last is None:  # a resume that had only the test split left to read
        epochs = [e for e in folder.events() if e["event"] == "epoch"]
    else:
        epochs = [last.to_dict()]
    final = epochs[-1]
    cost = count_cost(config.model)
    return {
        "model": config.model.name,
        "data": config.data,
        "recipe": config.recipe.name,
        "start": config.start.name if config.start else None,
        "train_part": config.recipe.train_part,
        "epochs": final["epoch"],
        "seed": config.seed,
        "kept": config.recipe.keep,
        "kept_epoch": finished.kept_epoch,
        "train_error_percent": final["train_error_percent"],
        "validation_error_percent": final["validation_error_percent"],
        "test_error_percent": finished.test_error_percent,
        "majority_error_percent": finished.majority_error_percent,
        "test_loss": finished.test_loss,
        "train_seconds": finished.train_seconds,
        "prepare_seconds": finished.prepare_seconds,
        "images_per_second": final["images_per_second"],
        "params": cost.params,
        "multiply_adds": cost.multiply_adds,
        "test_readings": times_tested(folder) + 1,
        "environment": folder.environment(),
    }
