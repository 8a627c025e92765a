"""Gradients by layer against autograd asked by hand, and against a closed form."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnet_core.analysis.gradient_flow import (
    measure_gradient_flow,
    remove_batch_norm,
    weight_layers,
)
from resnet_core.models.config import FAMILIES, ModelConfig
from resnet_core.models.network import Network


@pytest.fixture
def batch(pictures) -> torch.Tensor:
    return ((pictures.images.float() - 120) / 60).permute(0, 3, 1, 2)


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("family", FAMILIES)
def test_as_many_layers_as_the_depth_says(family: str, shortcut: str) -> None:
    depth = 2 * FAMILIES[family].layers_per_n + 2
    layers = weight_layers(Network(ModelConfig(family, depth, shortcut)))
    assert len(layers) == depth
    assert layers[0][0] == "stem.0" and layers[-1][0] == "classifier"


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_norms_are_those_of_autograd(pictures, batch, family: str, batch_norm: bool) -> None:
    depth = FAMILIES[family].layers_per_n + 2
    config = ModelConfig(family, depth, classes=4, input_size=16)
    flow = measure_gradient_flow(config, batch, pictures, seed=7, batch_norm=batch_norm)
    torch.manual_seed(7)
    network = Network(config)
    if not batch_norm:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.forward = lambda x: x
    weights = [layer.weight for _, layer in weight_layers(network)]
    loss = F.cross_entropy(network(batch), pictures.labels)
    gradients = torch.autograd.grad(loss, weights)
    assert flow.loss == pytest.approx(loss.item())
    assert flow.norms == pytest.approx([g.norm().item() for g in gradients], rel=1e-5)


def test_the_classifier_s_gradient_has_its_closed_form(pictures, batch) -> None:
    config = ModelConfig("plain", 8, classes=4, input_size=16)
    flow = measure_gradient_flow(config, batch, pictures, seed=1, batch_norm=True)
    torch.manual_seed(1)
    network = Network(config).train()
    seen = {}
    network.pre_logits.register_forward_hook(lambda _m, _i, output: seen.update(features=output))
    with torch.no_grad():
        residue = network(batch).softmax(1) - F.one_hot(pictures.labels, 4)
    expected = (residue.T @ seen["features"] / len(batch)).norm().item()
    assert flow.norms[-1] == pytest.approx(expected, rel=1e-5)


def test_no_batch_norm_is_left_and_the_seed_of_others_is_not_spent(pictures, batch) -> None:
    network = Network(ModelConfig("resnet_v2", 11, "B"))
    remove_batch_norm(network)
    assert not [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    measure_gradient_flow(ModelConfig("plain", 8, classes=4), batch, pictures, 5, True)
    assert torch.equal(torch.rand(1), expected)


def test_what_is_not_finite_is_not_a_number(pictures, batch) -> None:
    config = ModelConfig("resnet_v1", 8, classes=4, input_size=16)
    flow = measure_gradient_flow(config, batch * 1e38, pictures, seed=0, batch_norm=False)
    assert flow.loss is None and None in flow.norms
