"""Whether a file's tensors are exactly those of the net it was read as, and sound."""

from __future__ import annotations

import torch
from torch import Tensor

from resnet_core.doctor.reading import Named
from resnet_core.errors import ModelError
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import PixelModel

FEW = 3
# Counts training steps; evaluation never reads it, and PyTorch before 0.4.1 did not write it.
COUNTER = "num_batches_tracked"


def fit(named: Named, config: ModelConfig) -> dict[str, Tensor]:
    """The state of the network that `config` builds, in float32.

    Raises:
        ModelError: tensors are missing, left over or of another shape, or hold what is no number.
    """
    if config.depth > len(named.tensors):  # what a file says of itself may be a lie
        raise ModelError(
            f"{named.file} says that it is {config.name} and holds {len(named.tensors)} tensors, "
            "fewer than it has layers: it is damaged or made to do harm."
        )
    with torch.device("meta"):
        wanted = PixelModel(config, torch.zeros(3), torch.ones(3)).network.state_dict()
    problems = [
        _listed(found, what)
        for found, what in (
            (_missing(named, wanted), "missing"),
            ([named.origin[k] for k in named.tensors if k not in wanted], "unexpected"),
            (_misshapen(named, wanted), "of another shape"),
        )
        if found
    ]
    if problems:
        raise ModelError(
            f"{named.file} looks like {config.name}, shortcut {config.shortcut}, but of its "
            f"{len(wanted)} tensors {'; '.join(problems)}. A part of a net would score like a "
            "guess: nothing was imported."
        )
    state = {key: _sound(named, key) for key in wanted if key in named.tensors}
    counters = {key: torch.tensor(0) for key in wanted if key not in state}
    return state | counters


def _missing(named: Named, wanted: dict[str, Tensor]) -> list[str]:
    return [k for k in wanted if k not in named.tensors and not k.endswith(COUNTER)]


def _misshapen(named: Named, wanted: dict[str, Tensor]) -> list[str]:
    return [
        f"{named.origin[key]} {named.shape(key)} and not {tuple(tensor.shape)}"
        for key, tensor in wanted.items()
        # PyTorch once wrote the counter as one number in a list.
        if key in named.tensors and not key.endswith(COUNTER)
        if named.shape(key) != tuple(tensor.shape)
    ]


def _listed(found: list[str], what: str) -> str:
    more = f" and {len(found) - FEW} more" if len(found) > FEW else ""
    verb = "is" if len(found) == 1 else "are"
    return f"{len(found)} {verb} {what} ({', '.join(found[:FEW])}{more})"


def _sound(named: Named, key: str) -> Tensor:
    tensor, origin = named.tensors[key], named.origin[key]
    if key.endswith(COUNTER):
        is_count = tensor.numel() == 1 and not tensor.is_floating_point()
        return tensor.reshape(()).long() if is_count else torch.tensor(0)
    if not tensor.is_floating_point():
        raise ModelError(
            f"{named.file}: {origin} is {_kind(tensor)}, and weights are floating-point numbers: "
            "give the file from before it was quantised."
        )
    values = tensor.detach().to(torch.float32).contiguous()
    if not bool(torch.isfinite(values).all()):
        bad = int((~torch.isfinite(values)).sum())
        raise ModelError(
            f"{named.file}: {bad:,} of the {values.numel():,} numbers of {origin} are NaN or "
            "infinite: its training broke down, or the file is damaged."
        )
    if key.endswith("running_var") and bool((values < 0).any()):
        raise ModelError(f"{named.file}: {origin} holds negative variances: the file is damaged.")
    return values


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
