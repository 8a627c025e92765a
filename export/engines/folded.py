"""A net for answers alone: every batch norm that follows a convolution becomes part of it."""

from __future__ import annotations

from itertools import pairwise

from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from resnet_core.models.blocks import PlainBlock, PreActivationBottleneck
from resnet_core.models.network import Network

PAIRS = {
    PlainBlock: (("conv1", "bn1"), ("conv2", "bn2")),
    # Pre-activated: its first batch norm stands before all convolutions, and stays.
    PreActivationBottleneck: (("conv1", "bn2"), ("conv2", "bn3")),
}


def fold_batch_norms(network: nn.Module) -> None:
    """Fold in place; the net, in evaluation mode, answers the same but for rounding.

    A net that is not for CIFAR stays as it is.
    """
    if not isinstance(network, Network):
        return
    for module in network.modules():
        if isinstance(module, nn.Sequential):
            _fold_sequence(module)
        for kind, pairs in PAIRS.items():
            if isinstance(module, kind):
                for conv, norm in pairs:
                    _fold(module, conv, norm)


def _fold_sequence(sequence: nn.Sequential) -> None:
    """The stem, and a projection: a convolution and the batch norm right behind it."""
    members = list(sequence.named_children())
    for (name, module), (following, norm) in pairwise(members):
        if isinstance(module, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            _fold(sequence, name, following)


def _fold(owner: nn.Module, conv: str, norm: str) -> None:
    setattr(owner, conv, fuse_conv_bn_eval(getattr(owner, conv), getattr(owner, norm)))
    setattr(owner, norm, nn.Identity())
