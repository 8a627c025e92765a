"""Everything a resume needs, in one file that is always whole: `last.state`.

Tensors (weights, batch norm statistics, optimiser, random generator) and the numbers beside
them are one safetensors file, written in one step: no pickle, and no moment at which two files
disagree.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.optim import Optimizer

from resnet_core.errors import RunError, briefly
from resnet_core.models.saved import write_tensors
from resnet_core.training.seeds import fit_seed

LOAD_ERRORS = (
    SafetensorError, OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError,
)  # fmt: skip


@dataclass(frozen=True)
class Progress:
    """Where a run stands; with the tensors beside it, all that the next step depends on."""

    step: int = 0
    epoch_loss_sum: float = 0.0
    epoch_wrong: int = 0
    train_seconds: float = 0.0
    is_warming_up: bool = False
    best_validation_error_percent: float | None = None
    best_epoch: int = 0
    measured_at_step: int = 0
    """Where the sums begin when that is within an epoch: a run of 1.5 epochs that was extended."""
    prepare_seconds: float = 0.0
    """Spent on computing features, beside `train_seconds`; runs of the first versions lack it."""


def save_checkpoint(
    path: Path,
    model: nn.Module,
    optimizers: Sequence[Optimizer],
    generator_states: Sequence[Tensor],
    progress: Progress,
) -> None:
    """Write the state of a run in one step; of its processes, only the random generators differ.

    Raises:
        OSError: the disk is full; the checkpoint before stands untouched.
    """
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    for rank, state in enumerate(generator_states):
        tensors[_generator_name(rank)] = state
    for number, optimizer in enumerate(optimizers):
        tensors |= _pack_optimizer(optimizer, number)
    tensors = {name: t.detach().cpu().contiguous() for name, t in tensors.items()}
    metadata = {"progress": json.dumps(asdict(progress))}
    write_tensors(path, tensors, metadata)


def load_checkpoint(
    path: Path,
    model: nn.Module,
    optimizers: Sequence[Optimizer],
    generator: torch.Generator,
    rank: int = 0,
) -> Progress:
    """Put model, optimisers and the generator of this rank into the stored state, in place.

    Raises:
        RunError: the file is damaged or belongs to another net.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        weights = {
            n.removeprefix("model."): t for n, t in tensors.items() if n.startswith("model.")
        }
        model.load_state_dict(weights, strict=True)
        for number, optimizer in enumerate(optimizers):
            _unpack_optimizer(optimizer, number, tensors)
        progress = Progress(**json.loads(metadata["progress"]))
        _restore_generator(generator, tensors[_generator_name(rank)], progress.step)
        return progress
    except LOAD_ERRORS as error:
        raise RunError(
            f"{path} can't be resumed from ({briefly(error)}): start the run again."
        ) from None


def _restore_generator(generator: torch.Generator, state: Tensor, step: int) -> None:
    """Where it stood; or, on another kind of device, whose generator has another state, anew.

    A run that goes on elsewhere draws other crops there, as good as those it would have drawn.
    """
    if state.shape == generator.get_state().shape:
        generator.set_state(state)
    else:
        generator.manual_seed(fit_seed(generator.initial_seed() + step))


def _generator_name(rank: int) -> str:
    return f"generator.{rank}" if rank else "generator"


def _pack_optimizer(optimizer: Optimizer, number: int) -> dict[str, Tensor]:
    """The optimiser's state by `optimizer.<number>.<parameter>.<slot>`; all of it is tensors."""
    return {
        f"optimizer.{number}.{index}.{slot}": value
        for index, slots in optimizer.state_dict()["state"].items()
        for slot, value in slots.items()
        if value is not None
    }


def _unpack_optimizer(optimizer: Optimizer, number: int, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    prefix = f"optimizer.{number}."
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, slot = name.removeprefix(prefix).split(".", 1)
            if tensor.shape == parameters[int(index)].shape:
                # In the parameter's own memory layout, or every later step would be slower.
                tensor = torch.empty_like(parameters[int(index)], device="cpu").copy_(tensor)
            state.setdefault(int(index), {})[slot] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
