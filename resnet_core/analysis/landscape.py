"""A slice of the loss surface around a trained net.

Li et al. 2018 (arXiv 1712.09913 §4): two random directions, each filter scaled to the norm of
the trained filter it is added to, so that nets of different weight scales can be compared.
Biases and batch norm's parameters stay as they are, and so do its stored statistics: the net is
in evaluation mode at every point.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_core.analysis.rows import Row
from resnet_core.data.dataset import Split
from resnet_core.errors import ConfigError
from resnet_core.models.network import PixelModel

CHUNK_IMAGES = 250
COARSEST_POINTS = 5
MOST_POINTS = 65
Direction = Mapping[str, Tensor]


@dataclass(frozen=True)
class LandscapePoint(Row):
    """Loss (cross-entropy in nats) and error at one point of the slice; (0, 0) is the net itself."""

    kind = "point"
    model: str
    x: float
    """Steps along the first direction; 1 adds to each filter one of its own length."""
    y: float
    loss: float
    error_percent: float


def filter_normalised_direction(
    network: nn.Module, generator: torch.Generator
) -> dict[str, Tensor]:
    """A random direction by parameter name: each filter as long as the trained one.

    A filter is all weights that make one output: of a convolution (in, k, k), of the classifier
    (in,). Parameters of one axis (biases, batch norm) are left out.
    """
    direction = {}
    for name, weight in network.named_parameters():
        if weight.dim() < 2:
            continue
        drawn = torch.randn(weight.shape, generator=generator).to(weight.device)
        scale = _filter_norms(weight.detach()) / _filter_norms(drawn)
        direction[name] = drawn * scale.reshape(-1, *[1] * (weight.dim() - 1))
    return direction


def _filter_norms(weight: Tensor) -> Tensor:
    return torch.linalg.vector_norm(weight.flatten(1), dim=1)


def grid(points: int, span: float) -> list[tuple[float, float]]:
    """The places of a points × points grid over [-span, span]², coarse ones first.

    5 × 5, then what 9 × 9 adds, then 17 × 17 and so on: a picture is there early and grows finer.

    Raises:
        ConfigError: a number of points that halving does not give.
    """
    sizes = [COARSEST_POINTS]
    while sizes[-1] < min(points, MOST_POINTS):
        sizes.append(2 * sizes[-1] - 1)
    if sizes[-1] != points or span <= 0:
        raise ConfigError(
            f"A grid of {points} points a side over ±{span:g} can't be drawn: choose 5, 9, 17, 33 "
            "or 65 points and a span above 0."
        )
    places: dict[tuple[float, float], None] = {}  # in order, each once
    for size in sizes:
        ticks = [span * (2 * at / (size - 1) - 1) for at in range(size)]
        places.update(dict.fromkeys((x, y) for y in ticks for x in ticks))
    return list(places)


@contextmanager
def moved(network: nn.Module, steps: list[tuple[float, Direction]]) -> Iterator[None]:
    """The network with its weights moved along directions; afterwards they are as before."""
    parameters = dict(network.named_parameters())
    kept = {name: parameters[name].detach().clone() for _, d in steps for name in d}
    try:
        with torch.no_grad():
            for amount, direction in steps:
                for name, change in direction.items():
                    parameters[name].add_(change, alpha=amount)
        yield
    finally:
        with torch.no_grad():
            for name, weight in kept.items():
                parameters[name].copy_(weight)


def surface(
    network: nn.Module,
    measure: Callable[[], tuple[float, float]],
    name: str,
    seed: int,
    points: int,
    span: float,
    done: Collection[tuple[float, float]] = (),
) -> Iterator[LandscapePoint]:
    """The loss on a grid around a network, from coarse to fine.

    Args:
        network: whose weights are moved; as before whenever a point is out.
        measure: gives loss and error in percent of the network as it stands.
        seed: of the two directions.
        done: places to leave out, since their loss is there already.

    Raises:
        ConfigError: a grid that can't be drawn.
    """
    generator = torch.Generator().manual_seed(seed)
    first, second = (filter_normalised_direction(network, generator) for _ in range(2))
    for x, y in grid(points, span):
        if (x, y) in done:
            continue
        with moved(network, [(x, first), (y, second)]):
            loss, error_percent = measure()
        yield LandscapePoint(name, x, y, loss, error_percent)


@torch.no_grad()
def loss_and_error(model: PixelModel, split: Split) -> tuple[float, float]:
    """Mean cross-entropy in nats and error in percent, in evaluation mode, without gradients."""
    model.eval()
    loss, wrong = 0.0, 0
    for at in range(0, len(split), CHUNK_IMAGES):
        labels = split.labels[at : at + CHUNK_IMAGES]
        logits = model(split.images[at : at + CHUNK_IMAGES])
        # A far point's logits are large: float64 keeps their exponentials finite.
        loss += F.cross_entropy(logits.double(), labels, reduction="sum").item()
        wrong += int((logits.argmax(1) != labels).sum().item())
    return loss / len(split), 100 * wrong / len(split)
