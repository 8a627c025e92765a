"""A net's first layers as one operation give what they give one by one.

Each test runs twice, with the kernels of a chip with tiles and of one without.
"""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_core.models.config import parse_model_name
from resnet_core.models.network import build_network
from resnet_core.training.cpu_kernels import stem as stem_module
from resnet_core.training.cpu_kernels.stem import KernelStem, fuse_stem
from resnet_core.training.cpu_kernels.use import put_kernels_in
from tests.resnet_core.cpu_kernels import BF16_STEP, ON_LINUX_AND_X86, distance, laid_out

pytestmark = [ON_LINUX_AND_X86, pytest.mark.usefixtures("kernels")]

SHAPES = [(5, 32, 32), (1, 7, 16), (130, 4, 48)]  # images, height, width


def a_stem() -> nn.Sequential:
    """Not at its start: the batch norm scales and shifts, and has seen another mean."""
    torch.manual_seed(3)
    conv, norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.uniform_(norm.bias, -0.5, 0.5)
    assert norm.running_mean is not None
    norm.running_mean.normal_(0, 0.1)
    return nn.Sequential(conv, norm, nn.ReLU()).to(memory_format=torch.channels_last)


def pictures(images: int, height: int, width: int) -> Tensor:
    return torch.randn(images, height, width, 3).permute(0, 3, 1, 2)


@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_fp64(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From what it keeps of its convolution: a rounding that goes the other way is no error."""
    layers = a_stem()
    exact = copy.deepcopy(layers).double()
    fuse_stem(layers)
    assert type(layers) is KernelStem
    x, gradient = pictures(*shape), laid_out(shape[0], 16, *shape[1:])
    found: list[tuple[Tensor, ...]] = []
    operation = stem_module.stem

    def watched(*given: object) -> tuple[Tensor, ...]:
        found.append(operation(*given))
        return found[-1]

    monkeypatch.setattr(stem_module, "stem", watched)
    out = layers(x)
    out.backward(gradient)
    conv, norm, _ = exact
    y = F.conv2d(x.bfloat16().double(), conv.weight.bfloat16().double(), padding=1)
    kept = found[0][1].detach()
    assert distance(kept, y) < BF16_STEP
    y = kept.double().requires_grad_()
    wanted = F.relu(norm(y))
    wanted.backward(gradient.double())
    assert distance(out, wanted) < BF16_STEP
    to_weight = torch.nn.grad.conv2d_weight(
        x.bfloat16().double(), conv.weight.shape, y.grad, padding=1
    )
    assert distance(layers[0].weight.grad, to_weight) < 1e-5
    assert layers[0].weight.grad.stride() == layers[0].weight.stride()
    for name in ("weight", "bias"):
        ours, theirs = getattr(layers[1], name), getattr(norm, name)
        assert distance(ours.grad, theirs.grad) < 1e-5
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        ours, theirs = getattr(layers[1], name), getattr(norm, name)
        torch.testing.assert_close(ours.double(), theirs.double(), rtol=1e-5, atol=1e-6)


def test_pixels_of_one_picture_do_not_reach_another() -> None:
    layers = a_stem()
    fuse_stem(layers)
    x = pictures(3, 8, 16)
    x[1] = float("nan")
    out = layers(x)
    # Statistics are of all of them: seen in what the convolution gives.
    assert out.isnan().all()
    _, y, *_ = stem_module.stem(
        x, layers[0].weight, layers[1].weight, layers[1].bias, torch.zeros(16), 1e-5
    )
    assert y[1].isnan().all() and not y[0].isnan().any() and not y[2].isnan().any()


def test_elsewhere_the_layers_are_what_they_were() -> None:
    """Evaluated, at a width that does not fit, or where the gradient by the picture is asked for."""
    layers = a_stem()
    usual = copy.deepcopy(layers)
    fuse_stem(layers)
    narrow, x = pictures(2, 8, 12), pictures(2, 16, 16)
    assert torch.equal(layers(narrow), usual(narrow))
    x.requires_grad_()
    layers(x).sum().backward()
    assert x.grad is not None
    usual(x)
    layers.eval(), usual.eval()
    assert torch.equal(layers(x), usual(x))


@pytest.mark.parametrize(
    ("name", "options", "is_fused"),
    [
        ("resnet20_v1", {}, True),
        ("plain20", {}, True),
        ("highway20", {}, False),  # compiled
        ("resnet29_v2", {}, False),  # without batch norm there
        ("resnet20_v1", {"shortcut": "tutorial"}, False),  # with biases
    ],
)
def test_which_nets_have_one(name: str, options: dict[str, str], is_fused: bool) -> None:
    network = build_network(parse_model_name(name, **options))
    put_kernels_in(network)
    assert isinstance(network.stem, KernelStem) is is_fused
