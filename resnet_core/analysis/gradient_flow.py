"""How the loss gradient is spread over the layers of a net that has not learnt yet.

He et al. 2015 (arXiv 1512.03385 §4.1) argue that deep plain nets do not fail for vanishing
gradients: batch norm keeps signals healthy both ways. Here it is measured, with it and without.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_core.analysis.rows import Row
from resnet_core.data.dataset import Split
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import build_network


@dataclass(frozen=True)
class GradientFlow(Row):
    """One net at its seeded start, one batch, one backward pass."""

    kind = "gradient_flow"
    model: str
    family: str
    depth: int
    batch_norm: bool
    seed: int
    loss: float | None
    """Cross-entropy in nats; None where it is no finite number."""
    norms: tuple[float | None, ...]
    """L2 norm of the loss gradient over each layer's weights, stem first, classifier last."""


def weight_layers(network: nn.Module) -> list[tuple[str, nn.Conv2d | nn.Linear]]:
    """The layers with weights on the longest path, from input to output: as many as the depth.

    Projections and gates stand beside the path and are left out.
    """
    return [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
        and not {"shortcut", "downsample"} & set(name.split("."))
        and not name.endswith(".gate")
    ]


def remove_batch_norm(network: nn.Module) -> None:
    """Put the identity in place of every batch norm: for analysis alone, no family is built so."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, nn.Identity())


def layer_gradient_norms(network: nn.Module) -> list[float]:
    """L2 norm of the gradient that `backward` left in each of the `weight_layers`.

    In float64, where no square of a float32 overflows.
    """
    gradients = [layer.weight.grad for _, layer in weight_layers(network)]
    assert all(gradient is not None for gradient in gradients)
    return [torch.linalg.vector_norm(g, dtype=torch.float64).item() for g in gradients]


def measure_gradient_flow(
    config: ModelConfig, images: Tensor, split: Split, seed: int, batch_norm: bool
) -> GradientFlow:
    """Initialise a net by `seed` and measure the gradient of its loss on one batch, by layer.

    Args:
        images: normalised floats (N, 3, H, W).
        split: where they come from, for their labels.
        batch_norm: as it is built (on the batch's own statistics), or without any.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(config)
    if not batch_norm:
        remove_batch_norm(network)
    loss = F.cross_entropy(network.train()(images), split.labels)
    loss.backward()  # type: ignore[no-untyped-call]
    return GradientFlow(
        model=config.name,
        family=config.family,
        depth=config.depth,
        batch_norm=batch_norm,
        seed=seed,
        loss=_finite(loss.item()),
        norms=tuple(_finite(norm) for norm in layer_gradient_norms(network)),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
