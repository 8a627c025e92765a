"""The net's weights among all that a checkpoint holds: containers opened, prefixes stripped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from resnet_core.doctor.read import Checkpoint
from resnet_core.errors import ModelError, printable

# Where weights are kept in a training's checkpoint; of several the first is taken.
CONTAINERS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params",
    "state_dict_ema", "model_ema", "ema_state_dict", "ema_model", "ema",
)  # fmt: skip
# What wrappers put before every name: DataParallel, torch.compile, and classes that hold a net.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "ema_model.")
# What else a flat file may hold, by the first word of its names.
NOT_WEIGHTS = {"optimizer", "optim", "scheduler", "scaler", "generator", "n_averaged"}
LONGEST_NAME = 200
DEEPEST = 4
OWN_NORMALISATION = ("mean", "inverse_std")


@dataclass(frozen=True)
class Weights:
    """The tensors of one net, by the names in their file without what wrappers put before them."""

    tensors: dict[str, Tensor]
    part: str
    """The container they were in, such as state_dict; empty where the file has none."""
    prefix: str
    """What was stripped from every name."""
    left_out: tuple[str, ...]
    """All else in the file, in words."""
    own_normalisation: tuple[Tensor, Tensor] | None
    """Mean and 1/standard deviation, which this kit's own files hold."""


def find_weights(checkpoint: Checkpoint, part: str | None = None) -> Weights:
    """Find the weights in a checkpoint.

    Args:
        part: the container to take, where a file has several.

    Raises:
        ModelError: there are none, or there is no such container.
    """
    name = checkpoint.name
    tensors, path, left_out = _open_containers(checkpoint.content, part, name)
    others = Counter(key.split(".")[0] for key in tensors if key.split(".")[0] in NOT_WEIGHTS)
    left_out += [_described(head, count) for head, count in others.items()]
    tensors = {key: t for key, t in tensors.items() if key.split(".")[0] not in others}
    if not tensors:
        raise ModelError(f"{name} holds no tensors: give a file with a net's state_dict().")
    for key, tensor in tensors.items():
        if not key.isprintable() or len(key) > LONGEST_NAME:
            raise ModelError(f"{name} holds a tensor whose name can't be read: it is damaged.")
        _check_is_plain(tensor, key, name)
    tensors, prefix, normalisation = _strip(tensors)
    return Weights(tensors, ".".join(path), prefix, tuple(left_out), normalisation)


def _open_containers(
    content: Any, part: str | None, name: str
) -> tuple[dict[str, Tensor], list[str], list[str]]:
    """The tensors in the innermost container, the way to it, and what lies beside the way."""
    path: list[str] = []
    left_out: list[str] = []
    while True:
        if len(path) > DEEPEST:  # it may hold itself
            raise ModelError(f"{name} nests its parts {DEEPEST} deep: save the net's state_dict().")
        if not isinstance(content, Mapping):
            raise ModelError(
                f"{name} holds a {type(content).__name__}, not a net's weights by name: save the "
                "net's state_dict()."
            )
        inside = [str(key) for key, value in content.items() if isinstance(value, Mapping)]
        chosen = _choose(inside, None if path else part, name)
        tensors = {str(k): v for k, v in content.items() if isinstance(v, Tensor)}
        if chosen is None and inside and not tensors:
            raise ModelError(
                f"{name} holds {_few(inside)}, and which of them is the net can't be told: "
                "say it with --part NAME."
            )
        left_out += [
            _described(str(key), _count_tensors(value))
            for key, value in content.items()
            if key != chosen and (chosen or not isinstance(value, Tensor))
        ]
        if chosen is None:
            return tensors, path, left_out
        path.append(chosen)
        content = content[chosen]


def _choose(inside: list[str], part: str | None, name: str) -> str | None:
    if part is None:
        return next((key for key in CONTAINERS if key in inside), None)
    if part not in inside:
        raise ModelError(f"{name} has no part '{part}': it has {_few(inside) or 'no parts'}.")
    return part


def _strip(
    tensors: dict[str, Tensor],
) -> tuple[dict[str, Tensor], str, tuple[Tensor, Tensor] | None]:
    stripped, normalisation = "", None
    while True:
        if normalisation is None and all(key in tensors for key in OWN_NORMALISATION):
            mean, inverse_std = (tensors[key] for key in OWN_NORMALISATION)
            normalisation = mean, inverse_std
            tensors = {k: t for k, t in tensors.items() if k not in OWN_NORMALISATION}
        prefix = next((p for p in PREFIXES if all(key.startswith(p) for key in tensors)), "")
        if not prefix or not tensors:
            return tensors, stripped, normalisation
        stripped += prefix
        tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}


def _check_is_plain(tensor: Tensor, key: str, name: str) -> None:
    plain = tensor.layout is torch.strided and tensor.device.type == "cpu"
    if not plain or tensor.is_quantized or tensor.is_complex():
        raise ModelError(f"{name}: {key} is not a plain tensor of numbers: save it dense, in fp32.")
    # A view may claim any shape of a few bytes; copying it would take what it claims.
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ModelError(
            f"{name}: {key} claims {tensor.numel():,} elements, more than the file has for it: it "
            "is damaged or made to do harm."
        )


def _count_tensors(value: Any) -> int:
    """All tensors within; what holds itself, as pickles can, is looked into once."""
    count, seen, waiting = 0, set[int](), [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            count += 1
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, Mapping) else value
    return count


def _described(key: str, tensors: int) -> str:
    return f"{key} ({tensors} tensor{'s' * (tensors != 1)})" if tensors else key


def _few(names: list[str]) -> str:
    return printable(", ".join(name[:LONGEST_NAME] for name in names[:8])) + ", …" * (
        len(names) > 8
    )
