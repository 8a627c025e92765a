"""What a network costs: parameters and multiply-adds, counted on the network itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resnet_core.models.config import ModelConfig
from resnet_core.models.network import build_network


@dataclass(frozen=True)
class Cost:
    """Size of one network."""

    params: int
    """Learned parameters."""
    params_with_statistics: int
    """Parameters plus batch norm's running means and variances, which Keras counts in."""
    multiply_adds: int
    """Multiply-adds of convolutions and linear layers for one image, as the papers count."""


def count_cost(config: ModelConfig) -> Cost:
    """Count one network at its input size without allocating its weights."""
    with torch.device("meta"):
        network = build_network(config)
    return count_module(network, config.input_size)


def count_module(network: nn.Module, input_size: int) -> Cost:
    """Count a network that takes (N, 3, input_size, input_size) and lies on the meta device.

    Multiply-adds follow arXiv 1512.03385 Table 1: convolutions and linear layers only.
    """
    params = sum(p.numel() for p in network.parameters())
    statistics = sum(
        b.numel() for name, b in network.named_buffers() if not name.endswith("num_batches_tracked")
    )
    return Cost(params, params + statistics, _count_multiply_adds(network.eval(), input_size))


def _count_multiply_adds(network: nn.Module, input_size: int) -> int:
    total = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d | nn.Linear):
            total += output[0].numel() * module.weight[0].numel()

    hooks = [module.register_forward_hook(count) for module in network.modules()]
    with torch.no_grad():
        network(torch.empty(1, 3, input_size, input_size, device="meta"))
    for hook in hooks:
        hook.remove()
    return total
