"""Responses against layers computed by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from resnet_core.analysis.responses import measure_responses, normalised_layers
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import Network


def test_the_first_responses_by_hand(make_model, pictures) -> None:
    model = make_model("resnet_v1", 14)
    names, stds = measure_responses(model, pictures)
    net = model.network

    def normed(x, conv, bn):
        x = F.conv2d(x, conv.weight, padding=1)
        shape = (1, -1, 1, 1)
        x = (x - bn.running_mean.reshape(shape)) / (bn.running_var.reshape(shape) + bn.eps).sqrt()
        return x * bn.weight.reshape(shape) + bn.bias.reshape(shape)

    with torch.no_grad():
        x = ((pictures.images.float() - 120) / 60).permute(0, 3, 1, 2)
        stem = normed(x, *net.stem[:2])
        block = net.stage1[0]
        first = normed(F.relu(stem), block.conv1, block.bn1)
        second = normed(F.relu(first), block.conv2, block.bn2)
    expected = [layer.std(correction=0).item() for layer in (stem, first, second)]
    assert stds[:3] == pytest.approx(expected, rel=1e-5)
    assert names[:3] == ("stem.0", "stage1.0.conv1", "stage1.0.conv2")


@pytest.mark.parametrize(
    ("family", "depth", "layers"), [("plain", 20, 19), ("resnet_v1", 20, 19), ("resnet_v2", 20, 7)]
)
def test_every_3x3_layer_is_there(family: str, depth: int, layers: int) -> None:
    assert len(normalised_layers(Network(ModelConfig(family, depth)))) == layers


@pytest.mark.parametrize(
    ("family", "norms"),
    [("resnet_v1", ["bn1", "bn2", "bn1", "bn2"]), ("resnet_v2", ["bn3", "bn3", "bn3", "bn3"])],
)
def test_the_page_says_which_norm_is_measured(family: str, norms: list[str]) -> None:
    """In v1 the second is added; in v2 each stands before the 1x1 layer that is."""
    network = Network(ModelConfig(family, 20))
    name_of = {module: name for name, module in network.named_modules()}
    found = [name_of[norm].split(".")[-1] for _, norm in normalised_layers(network)]
    assert found[1:5] == norms


def test_no_hook_is_left_behind(make_model, pictures) -> None:
    model = make_model("plain", 8)
    measure_responses(model, pictures)
    assert not any(module._forward_hooks for module in model.modules())
