"""Networks against independent oracles: published counts, torchvision blocks, functional calls."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.models.resnet import BasicBlock

from resnet_core.errors import ConfigError
from resnet_core.models.blocks import (
    HighwayBlock,
    PreActivationBottleneck,
    ResidualBlock,
    Style,
    ZeroPadShortcut,
)
from resnet_core.models.config import ModelConfig, parse_model_name
from resnet_core.models.cost import count_cost
from resnet_core.models.network import Network

NAMES = ["plain8", "resnet8_v1", "resnet11_v2", "highway8"]
PAPER_MILLIONS = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7, 1202: 19.4}
KERAS_TOTALS = {
    "resnet20_v1": 274_442, "resnet32_v1": 470_218, "resnet44_v1": 665_994,
    "resnet56_v1": 861_770, "resnet110_v1": 1_742_762,
    "resnet20_v2": 574_090, "resnet29_v2": 849_002, "resnet56_v2": 1_673_738,
    "resnet110_v2": 3_323_210,
}  # fmt: skip


def shake(module: torch.nn.Module) -> None:
    """Give batch norms a past, so that a mix-up of their statistics can't cancel out."""
    generator = torch.Generator().manual_seed(1)
    for norm in module.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            for tensor, low in (
                (norm.running_mean, -0.5),
                (norm.running_var, 0.5),
                (norm.bias.data, -0.5),
                (norm.weight.data, 0.5),
            ):
                tensor.copy_(low + torch.rand(tensor.shape, generator=generator))


def grads_match(ours: torch.nn.Module, x: Tensor, oracle, weights: list[Tensor]) -> None:
    """Values and gradients (of the input and of `weights`) agree with the oracle's in float64."""
    x1, x2 = x.clone().requires_grad_(), x.clone().requires_grad_()
    probe = torch.randn(
        ours(x1).shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    y1, y2 = ours(x1), oracle(x2)
    torch.testing.assert_close(y1, y2)
    g1 = torch.autograd.grad((y1 * probe).sum(), [x1, *weights])
    g2 = torch.autograd.grad((y2 * probe).sum(), [x2, *weights])
    for a, b in zip(g1, g2, strict=True):
        torch.testing.assert_close(a, b)


def batch_norm(norm: torch.nn.BatchNorm2d, x: Tensor) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = x.var((0, 2, 3), keepdim=True, unbiased=False)
    scaled = (x - mean) / torch.sqrt(variance + norm.eps)
    return scaled * norm.weight[None, :, None, None] + norm.bias[None, :, None, None]


@pytest.mark.parametrize(("depth", "millions"), PAPER_MILLIONS.items())
def test_parameters_equal_the_papers(depth: int, millions: float) -> None:
    params = count_cost(ModelConfig("resnet_v1", depth)).params / 1e6
    assert round(params, 2 if millions < 1 else 1) == millions
    assert count_cost(ModelConfig("plain", depth)).params / 1e6 == params


@pytest.mark.parametrize(("name", "total"), KERAS_TOTALS.items())
def test_tutorial_parameters_equal_the_keras_totals(name: str, total: int) -> None:
    assert count_cost(parse_model_name(name, shortcut="tutorial")).params_with_statistics == total


def test_bottleneck_parameters_equal_the_papers() -> None:
    assert round(count_cost(parse_model_name("resnet164_v2")).params / 1e6, 1) == 1.7
    # 10.2 M in the paper, cut and not rounded: its own 10.29 M by this very construction.
    assert math.floor(count_cost(parse_model_name("resnet1001_v2")).params / 1e5) / 10 == 10.2


def test_multiply_adds_equal_the_closed_form() -> None:
    n = 3
    stem = 32 * 32 * 16 * 3 * 9
    stages = sum(
        (2 * n - 1) * side**2 * width**2 * 9 + side**2 * width * before * 9
        for side, width, before in ((32, 16, 16), (16, 32, 16), (8, 64, 32))
    )
    assert count_cost(parse_model_name("resnet20_v1")).multiply_adds == stem + stages + 640


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("resnet21_v1", "20 and 26"),
        ("plain19", "14 and 20"),
        ("resnet30_v2", "29 and 38"),
        ("highway7", "8 and 14"),
    ],
)
def test_a_wrong_depth_names_the_two_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ConfigError, match=nearest):
        parse_model_name(name)


@pytest.mark.parametrize("name", ["resnet20", "vgg16", "", "plain", "resnet-20_v1", "resnet20_v3"])
def test_an_unknown_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="There is no model named"):
        parse_model_name(name)


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(ConfigError) as caught:
        ModelConfig("resnet_v1", 21, shortcut="C", classes=1)
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(("stride", "channels"), [(1, 8), (1, 16), (2, 16)])
def test_residual_block_is_torchvisions(stride: int, channels: int) -> None:
    ours = ResidualBlock(Style("B"), 8, channels, stride).double()
    down = ours.shortcut if isinstance(ours.shortcut, torch.nn.Sequential) else None
    theirs = BasicBlock(8, channels, stride, downsample=down).double()
    for name in ("conv1", "bn1", "conv2", "bn2"):
        setattr(theirs, name, getattr(ours, name))
    x = torch.randn(4, 8, 10, 10, dtype=torch.float64)
    grads_match(ours, x, theirs, [ours.conv1.weight, ours.bn2.weight])


def test_option_a_pads_with_zeros_and_takes_every_second_pixel() -> None:
    x = torch.randn(2, 4, 6, 6)
    out = ZeroPadShortcut(4, 8, 2)(x)
    assert out.shape == (2, 8, 3, 3)
    torch.testing.assert_close(out[:, 2:6], x[:, :, ::2, ::2])
    assert out[:, :2].abs().sum() == 0 and out[:, 6:].abs().sum() == 0


@pytest.mark.parametrize("stride", [1, 2])
def test_preactivation_bottleneck_is_norm_relu_conv_three_times(stride: int) -> None:
    block = PreActivationBottleneck(Style("B"), 8, 4, 16, stride).double()

    def oracle(x: Tensor) -> Tensor:
        active = F.relu(batch_norm(block.bn1, x))
        h = F.conv2d(active, block.conv1.weight, stride=stride)
        h = F.conv2d(F.relu(batch_norm(block.bn2, h)), block.conv2.weight, padding=1)
        h = F.conv2d(F.relu(batch_norm(block.bn3, h)), block.conv3.weight)
        return F.conv2d(active, block.shortcut.weight, stride=stride) + h

    x = torch.randn(4, 8, 6, 6, dtype=torch.float64)
    grads_match(block, x, oracle, [block.conv2.weight, block.bn1.weight, block.shortcut.weight])


@pytest.mark.parametrize("stride", [1, 2])
def test_highway_block_mixes_by_its_gate(stride: int) -> None:
    channels = 8 * stride
    block = HighwayBlock(Style("A"), 8, channels, stride).double()
    torch.nn.init.constant_(block.gate.bias, -1.0)

    def oracle(x: Tensor) -> Tensor:
        h = F.relu(batch_norm(block.bn1, F.conv2d(x, block.conv1.weight, stride=stride, padding=1)))
        h = F.relu(batch_norm(block.bn2, F.conv2d(h, block.conv2.weight, padding=1)))
        gate = torch.sigmoid(F.conv2d(x, block.gate.weight, block.gate.bias, stride=stride))
        return gate * h + (1 - gate) * block.shortcut(x)

    x = torch.randn(4, 8, 6, 6, dtype=torch.float64)
    grads_match(block, x, oracle, [block.gate.weight, block.conv1.weight])


def test_a_whole_plain_net_is_a_chain_of_functional_calls() -> None:
    net = Network(parse_model_name("plain8")).double()
    shake(net)
    net.eval()

    def norm(m: torch.nn.BatchNorm2d, x: Tensor) -> Tensor:
        return F.batch_norm(x, m.running_mean, m.running_var, m.weight, m.bias)

    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    h = F.relu(norm(net.stem[1], F.conv2d(x, net.stem[0].weight, padding=1)))
    for stage, stride in ((net.stage1, 1), (net.stage2, 2), (net.stage3, 2)):
        block = stage[0]
        h = F.relu(norm(block.bn1, F.conv2d(h, block.conv1.weight, stride=stride, padding=1)))
        h = F.relu(norm(block.bn2, F.conv2d(h, block.conv2.weight, padding=1)))
    expected = F.linear(h.mean((2, 3)), net.classifier.weight, net.classifier.bias)
    torch.testing.assert_close(net(x), expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shortcut", ["A", "B", "tutorial"])
def test_every_variant_runs_forward_and_backward(name: str, shortcut: str) -> None:
    if name.startswith("highway") and shortcut == "tutorial":
        with pytest.raises(ConfigError, match="no highway nets"):
            parse_model_name(name, shortcut=shortcut)
        return
    net = Network(parse_model_name(name, shortcut=shortcut, classes=7))
    logits = net(torch.randn(2, 3, 32, 32))
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("shortcut", ["A", "tutorial"])
def test_he_initialisation(shortcut: str) -> None:
    torch.manual_seed(0)
    net = Network(parse_model_name("resnet56_v1", shortcut=shortcut))
    weight = torch.cat([b.conv2.weight.flatten() for b in net.stage3])
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.02)
    assert net.classifier.bias.abs().sum() == 0
    cut = shortcut == "tutorial"
    assert (weight.abs().max() < 2.3 * weight.std()) == cut


def test_gates_start_negative() -> None:
    net = Network(parse_model_name("highway20", gate_bias=-2.5))
    gates = [m.gate.bias for m in net.modules() if isinstance(m, HighwayBlock)]
    assert len(gates) == 9 and all((bias == -2.5).all() for bias in gates)
