"""Which layers of a net train by the kernels of this folder."""

from __future__ import annotations

import subprocess
import warnings

from torch import nn

from resnet_core.models.config import ModelConfig
from resnet_core.models.network import Network
from resnet_core.training.cpu_kernels.chain import ChainedStage, chain_blocks
from resnet_core.training.cpu_kernels.convolution import KernelConv2d
from resnet_core.training.cpu_kernels.halving import HalvingConv2d, halves
from resnet_core.training.cpu_kernels.kernels import fits_kernels, kernels
from resnet_core.training.cpu_kernels.stem import fuse_stem


def trains_in_chains(config: ModelConfig) -> bool:
    """Whether all blocks of a net train in chains, which leave compiling nothing to make faster."""
    return config.family in ("plain", "resnet_v1") and config.shortcut != "tutorial"


def use_kernels(network: nn.Module) -> None:
    """Let a net train by them if their code builds; parameters, names and evaluation stay as they are."""
    try:
        kernels()
    except (OSError, subprocess.CalledProcessError) as error:
        warnings.warn(f"Training goes on without kernels of its own ({error}).", stacklevel=2)
        return
    put_kernels_in(network)


def put_kernels_in(network: nn.Module) -> None:
    """Chain the blocks that can be, with the stem before them; other convolutions go one by one."""
    if isinstance(network, Network):
        for stage in (network.stage1, network.stage2, network.stage3):
            chain_blocks(stage)
        if isinstance(network.stage1, ChainedStage):  # others are compiled, and would gain nothing
            fuse_stem(network.stem)
    for module in network.modules():
        if type(module) is nn.Conv2d and fits_kernels(module):
            module.__class__ = KernelConv2d
        elif type(module) is nn.Conv2d and halves(module):
            module.__class__ = HalvingConv2d
