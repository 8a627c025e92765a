"""Option A as some ports pad it, all new channels after the old, in a net that pads half before.

Channels of a residual stream may stand in any order as long as every layer that writes or reads
them agrees, so such a net is this kit's own with its channels put in another order: exactly.
"""

from __future__ import annotations

import re
from dataclasses import replace

import torch
from torch import Tensor

from resnet_core.doctor.reading import Named

Order = list[int]
WRITERS = r"stage(\d)\.\d+\.(?:conv2|bn2)\.\w+"
READERS = r"stage(\d)\.(\d+)\.conv1\.weight"


def reorder_channels(named: Named) -> Named:
    """The tensors in this kit's order of channels; those of odd shapes are left for later checks."""
    orders = _orders(named)
    return replace(
        named, tensors={key: _reorder(key, t, orders) for key, t in named.tensors.items()}
    )


def _orders(named: Named) -> dict[int, Order]:
    """For the stream of each stage: which of the port's channels stands at each place here."""
    widths = [shape[0] for s in "123" if (shape := named.shape(f"stage{s}.0.conv2.weight"))]
    orders: dict[int, Order] = {}
    for stage, width in enumerate(widths, start=1):
        old = orders.get(stage - 1, list(range(width)))
        new = list(range(len(old), width))
        orders[stage] = [*new[: len(new) // 2], *old, *new[len(new) // 2 :]]
    return orders


def _reorder(key: str, tensor: Tensor, orders: dict[int, Order]) -> Tensor:
    if match := re.fullmatch(WRITERS, key):
        return _taken(tensor, 0, orders.get(int(match[1])))
    if match := re.fullmatch(READERS, key):
        stage = int(match[1]) - (match[2] == "0")  # the first block reads the stage before
        return _taken(tensor, 1, orders.get(stage))
    return _taken(tensor, 1, orders.get(3)) if key == "classifier.weight" else tensor


def _taken(tensor: Tensor, axis: int, order: Order | None) -> Tensor:
    """The channels in order; a tensor that has not as many is left as it is."""
    if order is None or tensor.ndim <= axis or tensor.shape[axis] != len(order):
        return tensor
    return tensor.index_select(axis, torch.tensor(order))
