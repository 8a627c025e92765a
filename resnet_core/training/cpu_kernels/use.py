"""Which layers of a net train on tiles."""

from __future__ import annotations

import subprocess
import warnings

from torch import nn

from resnet_core.models.network import Network
from resnet_core.training.cpu_kernels.chain import chain_blocks
from resnet_core.training.cpu_kernels.convolution import KernelConv2d
from resnet_core.training.cpu_kernels.kernels import fits_kernels, kernels, unit


def use_kernels(network: nn.Module) -> None:
    """Let a net train on tiles, where the chip has them and their code builds.

    Parameters, names and evaluation stay as they are.
    """
    if unit() is None:
        return
    try:
        kernels()
    except (OSError, subprocess.CalledProcessError) as error:
        warnings.warn(f"Training goes on without its own convolutions ({error}).", stacklevel=2)
        return
    put_kernels_in(network)


def put_kernels_in(network: nn.Module) -> None:
    """Chain the blocks that can be, and let other convolutions that fit run on tiles by themselves."""
    if isinstance(network, Network):
        for stage in (network.stage1, network.stage2, network.stage3):
            chain_blocks(stage)
    for module in network.modules():
        if type(module) is nn.Conv2d and fits_kernels(module):
            module.__class__ = KernelConv2d
