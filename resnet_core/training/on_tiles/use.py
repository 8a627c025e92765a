"""Which layers of a net train on tiles."""

from __future__ import annotations

import subprocess
import warnings

import torch
from torch import nn

from resnet_core.models.network import Network
from resnet_core.training.on_tiles.chain import chain_blocks
from resnet_core.training.on_tiles.convolution import TileConv2d
from resnet_core.training.on_tiles.kernels import fills_tiles, kernels


def use_tiles(network: nn.Module) -> None:
    """Let a net train on tiles, where the chip has them and their code builds.

    Parameters, names and evaluation stay as they are.
    """
    if not torch.cpu.get_capabilities().get("amx_bf16"):
        return
    try:
        kernels()
    except (OSError, subprocess.CalledProcessError) as error:
        warnings.warn(f"Training goes on without its own convolutions ({error}).", stacklevel=2)
        return
    put_on_tiles(network)


def put_on_tiles(network: nn.Module) -> None:
    """Chain the blocks that can be, and let other convolutions that fit run on tiles by themselves."""
    if isinstance(network, Network):
        for stage in (network.stage1, network.stage2, network.stage3):
            chain_blocks(stage)
    for module in network.modules():
        if type(module) is nn.Conv2d and fills_tiles(module):
            module.__class__ = TileConv2d
