"""The weights that every net starts from."""

from __future__ import annotations

from torch import Tensor, nn

from resnet_core.models.blocks import HighwayBlock
from resnet_core.models.config import ModelConfig


def initialise(network: nn.Module, config: ModelConfig) -> None:
    """He initialisation (arXiv 1502.01852 §2.2): normal, variance 2 / fan-in; biases zero.

    The tutorial nets draw from a truncated normal of the same variance, as Keras's he_normal.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            _he_normal(module.weight, truncated=config.shortcut == "tutorial")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in network.modules():
        if isinstance(module, HighwayBlock):
            assert module.gate.bias is not None
            nn.init.constant_(module.gate.bias, config.gate_bias)


def _he_normal(weight: Tensor, truncated: bool) -> None:
    fan_in = weight[0].numel()
    std = (2.0 / fan_in) ** 0.5
    if truncated:
        # A normal cut at two standard deviations has 0.87962566 of its former spread.
        std /= 0.87962566
        nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std)
    else:
        nn.init.normal_(weight, std=std)
