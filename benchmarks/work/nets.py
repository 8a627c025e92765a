"""What is counted: every net for photos, and those that He et al. 2015 set theirs against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from benchmarks.work.papers import PAPER_BILLIONS
from benchmarks.work.rows import CLASSES, INPUT_SIZE, CountedNet
from resnet_core.analysis.gradient_flow import weight_layers
from resnet_core.models.config import parse_model_name
from resnet_core.models.cost import count_module
from resnet_core.models.network import build_network
from resnet_core.models.photo_families import photo_nets


@dataclass(frozen=True)
class Comparator:
    """A net of others, built by torchvision under its name."""

    family: str
    title: str
    paper: str


COMPARATORS = {
    # The one-GPU version of 2014, which has about as many parameters as the net of 2012.
    "alexnet": Comparator("alexnet", "AlexNet", "arXiv 1404.5997, as torchvision"),
    "vgg16": Comparator("vgg", "VGG-16", "arXiv 1409.1556 Table 1 D"),
    "vgg19": Comparator("vgg", "VGG-19", "arXiv 1409.1556 Table 1 E"),
}


def count_nets() -> list[CountedNet]:
    """The nets of others first, then ours in the order of their table. No weights are allocated."""
    return [*_others(), *_ours()]


def build(name: str) -> nn.Module:
    """A comparator or a net of the table by name, with random weights: float (N, 3, 224, 224) in."""
    if name in COMPARATORS:
        import torchvision.models

        network: nn.Module = getattr(torchvision.models, name)(num_classes=CLASSES)
        return network
    return build_network(parse_model_name(name, classes=CLASSES, input_size=INPUT_SIZE))


def _others() -> Iterator[CountedNet]:
    for name, net in COMPARATORS.items():
        with torch.device("meta"):
            network = build(name)
        yield _count(network, name, net.title, net.family, net.paper)


def _ours() -> Iterator[CountedNet]:
    for name, (family, depth) in photo_nets().items():
        with torch.device("meta"):
            network = build(name)
        yield _count(network, name, f"{family.title} {depth}", family.key, family.paper)


def _count(network: nn.Module, name: str, title: str, family: str, paper: str) -> CountedNet:
    cost = count_module(network, INPUT_SIZE)
    return CountedNet(
        name=name,
        title=title,
        family=family,
        layers=len(weight_layers(network)),
        params=cost.params,
        multiply_adds=cost.multiply_adds,
        paper_billions=PAPER_BILLIONS.get(name),
        paper=paper,
    )
