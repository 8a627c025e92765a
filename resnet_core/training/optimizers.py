"""Optimisers from recipes: which parameters decay, and by which rule they move."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from resnet_core.models.blocks import HighwayBlock
from resnet_core.models.network import Network
from resnet_core.models.photo_network import PhotoNetwork
from resnet_core.training.muon import Muon
from resnet_core.training.recipes import Recipe


class OptimizerSet:
    """One or two optimisers that step together; learning rates are shares of each one's peak."""

    def __init__(self, *members: Optimizer):
        self.members = members
        self._peaks = [[group["lr"] for group in member.param_groups] for member in members]

    def set_share(self, share: float) -> None:
        """Set every learning rate to this share of its peak."""
        for member, peaks in zip(self.members, self._peaks, strict=True):
            for group, peak in zip(member.param_groups, peaks, strict=True):
                if isinstance(group["lr"], Tensor):
                    group["lr"].fill_(peak * share)
                else:
                    group["lr"] = peak * share

    def keep_rates_on(self, device: torch.device) -> None:
        """Hold the rates where the steps are computed, which read them as they come to them."""
        for member in self.members:
            for group in member.param_groups:
                group["lr"] = torch.tensor(group["lr"], device=device)

    def zero_grad(self) -> None:
        for member in self.members:
            member.zero_grad(set_to_none=True)

    def step(self) -> None:
        for member in self.members:
            member.step()


def lr_scale(recipe: Recipe, devices: int) -> int:
    """What the learning rate is multiplied by when the batches of several devices make one step.

    SGD's by their number (Goyal et al. 2017, arXiv 1706.02677 §2.1): that many small steps add up
    their gradients, where one large step takes the mean. Adam's and Muon's stay: the length of
    their steps does not come from the gradient's, so a longer one would only overshoot; a larger
    batch points it better. Under `muon` this is the rate of what it leaves to SGD.
    """
    return 1 if recipe.optimizer == "adam" else devices


def make_optimizers(recipe: Recipe, network: nn.Module, devices: int = 1) -> OptimizerSet:
    """The recipe's optimisers over all parameters of the network that learn.

    With `muon`, convolution kernels turn by Muon (gates, whose scale matters, do not) and the
    rest moves by SGD.
    """
    shares = _lr_shares(recipe, network)
    kernels = _hidden_kernels(network) if recipe.optimizer == "muon" else []
    taken = {id(kernel) for kernel in kernels}
    decayed: list[nn.Parameter] = []
    free: list[nn.Parameter] = []
    for module, name, parameter in _parameters(network):
        if id(parameter) not in taken:
            (decayed if _decays(recipe, module, name) else free).append(parameter)
    lr = recipe.lr * lr_scale(recipe, devices)
    groups = [
        *_by_share(decayed, shares, lr, weight_decay=recipe.weight_decay),
        *_by_share(free, shares, lr, weight_decay=0.0),
    ]
    if recipe.optimizer == "adam":
        # Epsilon as in Keras; L2 goes through the gradient, as a loss term does.
        return OptimizerSet(Adam(groups, lr=lr, eps=1e-7))
    # Fused, it goes over all parameters at once, and takes a rate that lies on the GPU.
    sgd = SGD(groups, lr=lr, momentum=recipe.momentum, nesterov=recipe.nesterov, fused=True)
    if not kernels:
        return OptimizerSet(sgd)
    turned = _by_share(kernels, shares, recipe.muon_lr)
    return OptimizerSet(sgd, Muon(turned, lr=recipe.muon_lr, momentum=recipe.momentum))


def _lr_shares(recipe: Recipe, network: nn.Module) -> dict[int, float]:
    """By a parameter's id, its learning rate as a share of the head's (arXiv 1801.06146 §3.2)."""
    if recipe.stage_lr_factor == 1:
        return {}
    assert isinstance(network, Network | PhotoNetwork)
    return {
        id(parameter): recipe.stage_lr_factor**distance
        for distance, part in enumerate(reversed(network.parts))
        for parameter in part.parameters()
    }


def _by_share(
    parameters: list[nn.Parameter], shares: dict[int, float], lr: float, **options: float
) -> list[dict[str, Any]]:
    """Groups of those that learn, one for each share, as PyTorch's optimisers take them."""
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        if parameter.requires_grad:
            groups.setdefault(shares.get(id(parameter), 1.0), []).append(parameter)
    return [{"params": members, "lr": lr * share, **options} for share, members in groups.items()]


def _parameters(network: nn.Module) -> Iterator[tuple[nn.Module, str, nn.Parameter]]:
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            yield module, name, parameter


def _hidden_kernels(network: nn.Module) -> list[nn.Parameter]:
    gates = {id(m.gate) for m in network.modules() if isinstance(m, HighwayBlock)}
    return [
        parameter
        for module, name, parameter in _parameters(network)
        if isinstance(module, nn.Conv2d) and name == "weight" and id(module) not in gates
        if parameter.requires_grad
    ]


def _decays(recipe: Recipe, module: nn.Module, name: str) -> bool:
    if recipe.decay == "all":
        return True
    if name != "weight":
        return False
    if recipe.decay == "conv_l2":
        return isinstance(module, nn.Conv2d)
    return isinstance(module, nn.Conv2d | nn.Linear)
