"""The kit's own kernels give what PyTorch gives.

Each test runs twice, on tiles and in vectors; chips without one of them emulate it.
"""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_core.models.blocks import ResidualBlock, ZeroPadShortcut
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import build_network
from resnet_core.training.cpu_kernels.chain import ChainedStage, chain_blocks
from resnet_core.training.cpu_kernels.convolution import KernelConv2d, convolve
from resnet_core.training.cpu_kernels.halving import NO_SHORTCUT, HalvingConv2d, halve
from resnet_core.training.cpu_kernels.kernels import FLAGS, build
from resnet_core.training.cpu_kernels.use import put_kernels_in
from tests.resnet_core.cpu_kernels import (
    BF16_STEP,
    OF_VALUES,
    OF_WEIGHTS,
    ON_LINUX_AND_X86,
    distance,
    laid_out,
    stage_of,
)

pytestmark = [ON_LINUX_AND_X86, pytest.mark.usefixtures("kernels")]

SHAPES = [  # images, channels, height, width
    (5, 16, 32, 32),
    (3, 32, 16, 16),
    (9, 64, 8, 8),
    (7, 16, 16, 8),
    (1, 64, 5, 24),
    (130, 64, 8, 8),
    (3, 128, 1, 8),
    (2, 16, 7, 40),
]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_values_and_gradients_are_those_of_fp64(
    kernels: str, shape, layout: torch.memory_format
) -> None:
    torch.manual_seed(1)
    channels = shape[1]
    x, gradient = laid_out(*shape), laid_out(*shape)
    weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=layout)
    y, exact, exact_x, exact_weight = beside_fp64(x, weight, gradient)
    near = OF_VALUES[kernels]
    assert distance(y, exact) < near
    check_gradients(x, weight, exact_x, exact_weight, near, OF_WEIGHTS[kernels])


def beside_fp64(x: Tensor, weight: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
    """A step by the kernels, which leaves its gradients on what it is given, and one in fp64.

    Returns:
        What comes out of both, and fp64's input and weight, with their gradients.
    """
    exact_x = x.double().requires_grad_()
    exact_weight = weight.bfloat16().double().requires_grad_()
    exact = F.conv2d(exact_x, exact_weight, padding=1)
    exact.backward(gradient.double())
    y = convolve(x.requires_grad_(), weight.requires_grad_())
    y.backward(gradient)
    return y, exact, exact_x, exact_weight


def check_gradients(
    x: Tensor, weight: Tensor, exact_x: Tensor, exact_weight: Tensor, near: float, near_by_weights: float
) -> None:  # fmt: skip
    assert x.grad is not None and weight.grad is not None
    assert exact_x.grad is not None and exact_weight.grad is not None
    assert distance(x.grad, exact_x.grad) < near
    assert distance(weight.grad, exact_weight.grad) < near_by_weights
    assert weight.grad.stride() == weight.stride()


@pytest.mark.parametrize("shape", SHAPES)
def test_where_nothing_has_to_be_rounded_they_are_exact(shape) -> None:
    """Small whole numbers, and kernels of multiples of four, whose quarters are whole."""
    generator = torch.Generator().manual_seed(7)
    channels = shape[1]

    def whole(*sizes: int) -> Tensor:
        numbers = torch.randint(-2, 3, sizes, generator=generator).bfloat16()
        return numbers.contiguous(memory_format=torch.channels_last)

    x, gradient = whole(*shape), whole(*shape)
    weight = 4 * whole(channels, channels, 3, 3).float()
    y, exact, exact_x, exact_weight = beside_fp64(x, weight, gradient)
    assert x.grad is not None and exact_x.grad is not None and weight.grad is not None
    assert torch.equal(y, exact.bfloat16())
    assert torch.equal(x.grad, exact_x.grad.bfloat16())
    assert torch.equal(weight.grad.double(), exact_weight.grad)


def test_pixels_of_one_picture_do_not_reach_another() -> None:
    x = torch.zeros(3, 16, 8, 8, dtype=torch.bfloat16).contiguous(memory_format=torch.channels_last)
    x[1] = 1
    y = convolve(x, torch.ones(16, 16, 3, 3))
    assert not y[0].any() and not y[2].any()
    assert y[1, 0].tolist() == F.conv2d(torch.ones(1, 16, 8, 8), torch.ones(1, 16, 3, 3), padding=1)[
        0, 0
    ].tolist()  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_threads_give_the_same_bits(threads: int) -> None:
    """Of a single convolution and of a chain."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        torch.manual_seed(2)
        x = laid_out(7, 32, 16, 16).requires_grad_()
        weight = torch.randn(32, 32, 3, 3, requires_grad=True)
        gradients = []
        for _ in range(2):
            y = convolve(x, weight)
            gradients.append(torch.autograd.grad(y, [weight, x], torch.ones_like(y)))
        assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))
        stage = stage_of(ResidualBlock, 2, 32)
        chain_blocks(stage)
        copies = [copy.deepcopy(stage) for _ in range(2)]  # statistics change with each step
        once, again = (torch.autograd.grad(c(x).sum(), [*c.parameters(), x]) for c in copies)
        assert all(torch.equal(one, other) for one, other in zip(once, again, strict=True))
    finally:
        torch.set_num_threads(before)


HALVED = [  # images, channels, height, width, channels that come out
    (5, 16, 32, 32, 32),
    (130, 32, 16, 16, 64),
    (2, 16, 6, 48, 16),
    (1, 64, 2, 16, 128),
]


@pytest.mark.parametrize("shape", HALVED)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("with_shortcut", [False, True])
def test_a_convolution_that_halves_the_sides_is_that_of_fp64(
    shape, layout: torch.memory_format, with_shortcut: bool
) -> None:
    torch.manual_seed(3)
    images, channels, height, width, outputs = shape
    x = laid_out(images, channels, height, width)
    weight = torch.randn(outputs, channels, 3, 3).contiguous(memory_format=layout)
    exact_x = x.double().requires_grad_()
    exact_weight = weight.bfloat16().double().requires_grad_()
    exact = F.conv2d(exact_x, exact_weight, stride=2, padding=1)
    shortcut = ZeroPadShortcut(channels, outputs, 2)
    exact_cut = shortcut(exact_x)
    gradient, by_cut = laid_out(*exact.shape), laid_out(*exact.shape)
    if not with_shortcut:
        by_cut = torch.zeros_like(by_cut)
    torch.autograd.backward([exact, exact_cut], [gradient.double(), by_cut.double()])
    x.requires_grad_()
    weight.requires_grad_()
    y, cut = halve(x, weight, shortcut.before if with_shortcut else NO_SHORTCUT)
    if with_shortcut:
        assert torch.equal(cut.double(), exact_cut)
        torch.autograd.backward([y, cut], [gradient, by_cut])
    else:
        assert not cut.numel()
        y.backward(gradient)
    assert distance(y, exact) < BF16_STEP
    check_gradients(x, weight, exact_x, exact_weight, near=BF16_STEP, near_by_weights=1e-5)


def test_what_the_code_can_not_read_is_refused() -> None:
    with pytest.raises(AssertionError):
        convolve(laid_out(1, 16, 8, 8), torch.randn(16, 16, 3, 3, dtype=torch.float64))


@pytest.mark.parametrize("name", ["resnet20_v1", "plain20", "resnet8_v1"])
def test_a_stage_is_one_chain_from_its_change_of_shape_on(name: str) -> None:
    network = build_network(parse_model_name(name))
    put_kernels_in(network)
    stages = [network.stage1, network.stage2, network.stage3]
    assert [type(stage) for stage in stages] == [ChainedStage] * 3
    assert [stage.single_blocks for stage in stages] == [0, 0, 0]
    assert [stage.changes_shape for stage in stages] == [False, True, True]


def test_a_stage_whose_blocks_differ_is_chained_from_where_they_agree() -> None:
    stage = stage_of(ResidualBlock, 4, 16)
    stage[1].bn2.eps = 1e-3
    chain_blocks(stage)
    assert type(stage) is ChainedStage
    assert (stage.single_blocks, stage.changes_shape) == (2, False)


@pytest.mark.parametrize(
    ("name", "shortcut", "compiled"),
    [
        ("resnet20_v1", "A", False),
        ("resnet20_v1", "A", True),
        ("resnet20_v1", "B", False),
        ("plain20", "A", False),
        ("highway20", "A", False),
        ("resnet29_v2", "A", False),
    ],
)
def test_a_whole_net_learns_the_same(
    kernels: str, name: str, shortcut: str, compiled: bool
) -> None:
    """As near to the net in fp64 as the library's own bf16, or nearly so."""
    torch.manual_seed(4)
    network = build_network(parse_model_name(name, shortcut=shortcut)).to(
        memory_format=torch.channels_last
    )
    by_kernels = copy.deepcopy(network)
    put_kernels_in(by_kernels)
    assert [*by_kernels.state_dict()] == [*network.state_dict()]
    images, labels = torch.randn(8, 3, 32, 32), torch.arange(8)
    exact = gradients_of(network.double(), images.double(), labels, torch.float64)
    library = gradients_of(network.float(), images, labels, torch.bfloat16)
    ours = gradients_of(by_kernels, images, labels, torch.bfloat16, compiled)
    assert sum(type(module) is KernelConv2d for module in by_kernels.modules()) >= 7
    is_chained = [type(module) is ChainedStage for module in by_kernels.modules()]
    assert sum(is_chained) == (3 if name in ("resnet20_v1", "plain20") else 0)
    halving = sum(type(module) is HalvingConv2d for module in by_kernels.modules())
    assert halving == (0 if name == "resnet29_v2" else 2)
    errors = [sum_of_squares(found, exact) for found in (ours, library)]
    assert errors[0] < {"tiles": 1.2, "vectors": 1.5}[kernels] * errors[1]


def gradients_of(
    network: nn.Module, images: Tensor, labels: Tensor, precision: torch.dtype, compiled=False
) -> list[Tensor]:
    network.zero_grad()
    forward = torch.compile(network) if compiled else network
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=precision == torch.bfloat16):
        logits = forward(images.contiguous(memory_format=torch.channels_last))
    F.cross_entropy(logits.to(torch.promote_types(precision, torch.float32)), labels).backward()
    return [p.grad.clone() for p in network.parameters() if p.grad is not None]


def sum_of_squares(found: list[Tensor], exact: list[Tensor]) -> float:
    pairs = zip(found, exact, strict=True)
    return sum(float(((one - other) ** 2).sum() / (other**2).sum()) for one, other in pairs)


def test_evaluation_is_the_librarys_own() -> None:
    torch.manual_seed(6)
    network = build_network(parse_model_name("resnet14_v1")).eval()
    x = torch.randn(2, 3, 32, 32)
    expected = network(x)
    put_kernels_in(network)
    assert torch.equal(network.eval()(x), expected)
    with torch.no_grad():
        usual = network.train()(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not torch.equal(network(x), usual)  # on tiles


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.Conv2d(24, 32, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.Conv2d(16, 32, 5, stride=2, padding=2, bias=False),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.Conv2d(16, 16, 1, bias=False),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False),
        nn.Conv2d(256, 256, 3, padding=1, bias=False),
    ],
)
def test_other_convolutions_are_left_alone(layer: nn.Conv2d) -> None:
    put_kernels_in(nn.Sequential(layer))
    assert type(layer) is nn.Conv2d


def test_the_code_for_real_tiles_compiles_everywhere() -> None:
    build(FLAGS["tiles"])
