"""How long nets for photos take on this machine: PyTorch eager, fp32, random weights, in turn."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import torch
from torch import Tensor, nn

from benchmarks.throughput.summary import median_interval
from benchmarks.work.nets import build
from benchmarks.work.rows import INPUT_SIZE, TimedNet
from resnet_core.errors import ConfigError

TIMED = (
    "alexnet", "vgg16", "vgg19", "resnet18", "resnet34", "plain34_photo", "resnet50", "resnet101",
    "resnet152",
)  # fmt: skip
"""Those of the story: the nets before, and the depths of He et al. 2015."""
WARM_UP = 2


@torch.inference_mode()
def time_nets(rounds: int, names: Sequence[str] = TIMED, seed: int = 0) -> list[TimedNet]:
    """One photo through each net in turn, `rounds` times; one that is warm.

    A slow phase of the machine falls on all of them.

    Raises:
        ConfigError: fewer than one round.
    """
    if rounds < 1:
        raise ConfigError("--rounds should be at least 1.")
    torch.manual_seed(seed)
    networks = {name: build(name).eval() for name in names}
    photo = torch.randn(1, 3, INPUT_SIZE, INPUT_SIZE)
    spent: dict[str, list[float]] = {name: [] for name in names}
    for number in range(-WARM_UP, rounds):
        for name, network in networks.items():
            milliseconds = _time(network, photo)
            if number >= 0:
                spent[name].append(milliseconds)
    return [TimedNet(name, tuple(found), *median_interval(found)) for name, found in spent.items()]


def _time(network: nn.Module, photo: Tensor) -> float:
    began = perf_counter()
    network(photo)
    return 1000 * (perf_counter() - began)
