"""Convolutions on tiles are PyTorch's. Chips without tiles run the same code, tiles emulated."""

from __future__ import annotations

import copy
import platform
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_core.models.blocks import PlainBlock, ResidualBlock, Style
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import build_network
from resnet_core.training.on_tiles import chain, convolution, use
from resnet_core.training.on_tiles import kernels as kernels_module
from resnet_core.training.on_tiles.chain import ChainedStage, chain_blocks
from resnet_core.training.on_tiles.convolution import TileConv2d, convolve
from resnet_core.training.on_tiles.kernels import EMULATED, FOR_TILES, build
from resnet_core.training.on_tiles.use import put_on_tiles, use_tiles

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux",
    reason="chips with such tiles are x86, and are used under Linux",
)
HAS_TILES = bool(torch.cpu.get_capabilities().get("amx_bf16"))
BF16_STEP = 2**-8
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


@pytest.fixture(scope="module", autouse=True)
def kernels() -> Iterator[None]:
    """Built once, for the chip's own tiles where it has some."""
    built = build(FOR_TILES if HAS_TILES else EMULATED)
    assert built.ask_for_tiles() == 0
    with pytest.MonkeyPatch.context() as patch:
        for module in (kernels_module, chain, convolution):
            patch.setattr(module, "kernels", lambda: built)
        yield


def laid_out(*shape: int) -> Tensor:
    numbers = torch.randn(*shape).bfloat16()
    return numbers.contiguous(memory_format=torch.channels_last)


def distance(ours: Tensor, exact: Tensor) -> float:
    """The largest, in shares of the largest value."""
    return float((ours.double() - exact).detach().abs().max() / exact.detach().abs().max())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])
def test_values_and_gradients_are_those_of_fp64(shape, layout: torch.memory_format) -> None:
    torch.manual_seed(1)
    channels = shape[1]
    x, gradient = laid_out(*shape), laid_out(*shape)
    weight = torch.randn(channels, channels, 3, 3).contiguous(memory_format=layout)
    exact_x = x.double().requires_grad_()
    exact_weight = weight.bfloat16().double().requires_grad_()
    exact = F.conv2d(exact_x, exact_weight, padding=1)
    exact.backward(gradient.double())
    x.requires_grad_()
    weight.requires_grad_()
    y = convolve(x, weight)
    y.backward(gradient)
    assert x.grad is not None and weight.grad is not None
    assert exact_x.grad is not None and exact_weight.grad is not None
    assert distance(y, exact) < BF16_STEP
    assert distance(x.grad, exact_x.grad) < BF16_STEP
    assert distance(weight.grad, exact_weight.grad) < 1e-5  # never rounded to bf16
    assert weight.grad.stride() == weight.stride()


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


CHAINS = [  # blocks, images, channels, height, width
    (3, 5, 16, 32, 32),
    (2, 6, 32, 16, 16),
    (2, 30, 64, 8, 8),
    (1, 2, 16, 7, 40),
    (1, 3, 128, 5, 8),
]


def stage_of(kind: type[PlainBlock], blocks: int, channels: int) -> nn.Sequential:
    """Not at its start: batch norms scale and shift, and have seen other means."""
    torch.manual_seed(5)
    stage = nn.Sequential(*(kind(Style(), channels, channels, 1) for _ in range(blocks)))
    for module in stage.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            assert module.running_mean is not None
            module.running_mean.normal_(0, 0.1)
    return stage.to(memory_format=torch.channels_last)


class _Kept(torch.autograd.Function):
    """The value that a chain keeps in the place of an exact one, and its gradient as if it were it."""

    @staticmethod
    def forward(ctx, exact: Tensor, kept: Tensor) -> Tensor:
        kept = kept.to(exact.dtype)
        assert distance(kept, exact) < BF16_STEP
        return kept

    @staticmethod
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None]:
        return gradient, None


def rounded(x: Tensor) -> Tensor:
    return _Kept.apply(x, x.bfloat16())


def from_what_is_kept(stage: nn.Module, x: Tensor, kept: list[Tensor]) -> Tensor:
    """What the blocks give in fp64, layer by layer from what a chain keeps of the one before.

    A rounding that goes the other way is no error, and would turn ReLUs over further on.
    """

    def normalised(conv: nn.Conv2d, norm: nn.BatchNorm2d, x: Tensor, kept: Tensor) -> Tensor:
        y = _Kept.apply(F.conv2d(x, rounded(conv.weight), padding=1), kept)
        mean, variance = y.mean((0, 2, 3)), y.var((0, 2, 3), correction=0)
        scale = norm.weight / (variance + norm.eps).sqrt()
        shift = norm.bias - mean * scale
        return y * scale[:, None, None] + shift[:, None, None]

    for number, block in enumerate(stage):
        first, second, given = kept[3 * number : 3 * number + 3]
        inner = rounded(F.relu(normalised(block.conv1, block.bn1, x, first)))
        y = normalised(block.conv2, block.bn2, inner, second)
        x = _Kept.apply(F.relu(y + x if isinstance(block, ResidualBlock) else y), given)
    return x


@pytest.mark.parametrize("kind", [ResidualBlock, PlainBlock])
@pytest.mark.parametrize("shape", CHAINS)
def test_a_chain_gives_what_its_blocks_give(
    kind: type[PlainBlock], shape, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks, *sizes = shape
    stage = stage_of(kind, blocks, sizes[1])
    x, gradient = laid_out(*sizes).relu(), laid_out(*sizes)
    exact_stage = copy.deepcopy(stage).double()
    chain_blocks(stage)
    assert type(stage) is ChainedStage and stage.single_blocks == 0
    found: list[tuple[Tensor, ...]] = []
    operation = chain.chain
    monkeypatch.setattr(chain, "chain", lambda *given: found.append(operation(*given)) or found[-1])
    x.requires_grad_()
    stage(x).backward(gradient)
    out, kept, *_ = (each.detach() for each in found[0])
    exact_x = x.detach().double().requires_grad_()
    pictures = [*(each.permute(0, 3, 1, 2) for each in kept), out]
    from_what_is_kept(exact_stage, exact_x, pictures).backward(gradient.double())
    assert relative(x.grad, exact_x.grad) < 0.01
    ours, wanted = dict(stage.named_parameters()), dict(exact_stage.named_parameters())
    worst = {name: relative(ours[name].grad, wanted[name].grad) for name in wanted}
    assert max(worst.values()) < 0.03, worst


def relative(ours: Tensor | None, exact: Tensor | None) -> float:
    """The length of the difference, in shares of the length."""
    assert ours is not None and exact is not None
    return float((ours.double() - exact).norm() / exact.norm())


def test_a_chain_keeps_the_batchs_statistics() -> None:
    stage = stage_of(ResidualBlock, 2, 16)
    usual = copy.deepcopy(stage).double()
    chain_blocks(stage)
    x = laid_out(8, 16, 8, 8).relu()
    for _ in range(2):
        stage(x)
        usual(x.double())
    for name, value in usual.state_dict().items():
        torch.testing.assert_close(
            stage.state_dict()[name].double(), value.double(), rtol=0.02, atol=0.01
        )


def test_what_is_no_number_is_seen_behind_a_chain() -> None:
    stage = stage_of(ResidualBlock, 2, 16)
    chain_blocks(stage)
    x = laid_out(2, 16, 8, 8).relu()
    x[1, 3, 4, 5] = float("nan")
    assert stage(x).isnan().any()
    (block, *_) = stage
    assert block.bn1.running_var.isnan().all() and block.bn1.running_mean.isnan().all()


def test_a_channel_that_hardly_varies_is_normalised_as_it_is_kept() -> None:
    """A bf16 step of its mean is more than its deviation: statistics are of the rounded values."""
    stage = stage_of(ResidualBlock, 1, 16)
    chain_blocks(stage)
    conv, norm = stage[0].conv1, stage[0].bn1
    x = (1 + laid_out(8, 16, 8, 8) / 300).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[:, :, 1, 1].copy_(torch.eye(16))  # what goes in comes out
        norm.running_mean.zero_(), norm.running_var.zero_()
    stage(x)
    exact = x.double()
    mean, variance = exact.mean((0, 2, 3)), exact.var((0, 2, 3))
    torch.testing.assert_close(norm.running_mean.double() / norm.momentum, mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(
        norm.running_var.double() / norm.momentum, variance, rtol=1e-3, atol=0
    )


def test_what_the_code_can_not_read_is_refused() -> None:
    with pytest.raises(AssertionError):
        convolve(laid_out(1, 16, 8, 8), torch.randn(16, 16, 3, 3, dtype=torch.float64))


def test_blocks_that_change_the_shape_stand_before_the_chain() -> None:
    network = build_network(parse_model_name("resnet20_v1"))
    put_on_tiles(network)
    stages = [network.stage1, network.stage2, network.stage3]
    assert [type(stage) for stage in stages] == [ChainedStage] * 3
    assert [stage.single_blocks for stage in stages] == [0, 1, 1]
    smallest = build_network(parse_model_name("plain8"))
    put_on_tiles(smallest)
    assert type(smallest.stage1) is ChainedStage and type(smallest.stage2) is nn.Sequential


@pytest.mark.parametrize(
    ("name", "compiled"),
    [
        ("resnet20_v1", False),
        ("resnet20_v1", True),
        ("plain20", False),
        ("highway20", False),
        ("resnet29_v2", False),
    ],
)
def test_a_whole_net_learns_the_same(name: str, compiled: bool) -> None:
    """As near to the net in fp64 as the library's own bf16."""
    torch.manual_seed(4)
    network = build_network(parse_model_name(name)).to(memory_format=torch.channels_last)
    on_tiles = copy.deepcopy(network)
    put_on_tiles(on_tiles)
    assert [*on_tiles.state_dict()] == [*network.state_dict()]
    images, labels = torch.randn(8, 3, 32, 32), torch.arange(8)
    exact = gradients_of(network.double(), images.double(), labels, torch.float64)
    library = gradients_of(network.float(), images, labels, torch.bfloat16)
    ours = gradients_of(on_tiles, images, labels, torch.bfloat16, compiled)
    assert sum(type(module) is TileConv2d for module in on_tiles.modules()) >= 7
    is_chained = [type(module) is ChainedStage for module in on_tiles.modules()]
    assert sum(is_chained) == (3 if name in ("resnet20_v1", "plain20") else 0)
    errors = [sum_of_squares(found, exact) for found in (ours, library)]
    assert errors[0] < 1.2 * errors[1]


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
    put_on_tiles(network)
    assert torch.equal(network.eval()(x), expected)
    with torch.no_grad():
        usual = network.train()(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not torch.equal(network(x), usual)  # on tiles


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 16, 3, padding=1, bias=False),
        nn.Conv2d(16, 32, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.Conv2d(16, 16, 1, bias=False),
        nn.Conv2d(16, 16, 3, padding=1),
        nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False),
        nn.Conv2d(256, 256, 3, padding=1, bias=False),
    ],
)
def test_other_convolutions_are_left_alone(layer: nn.Conv2d) -> None:
    put_on_tiles(nn.Sequential(layer))
    assert type(layer) is nn.Conv2d


def test_nothing_changes_on_a_chip_without_tiles(monkeypatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    layer = nn.Conv2d(16, 16, 3, padding=1, bias=False)
    use_tiles(nn.Sequential(layer))
    assert type(layer) is nn.Conv2d


def test_a_compiler_that_can_not_build_it_is_told_of_and_done_without(monkeypatch) -> None:
    def no_compiler() -> None:
        raise FileNotFoundError("no g++")

    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    monkeypatch.setattr(use, "kernels", no_compiler)
    layer = nn.Conv2d(16, 16, 3, padding=1, bias=False)
    with pytest.warns(UserWarning, match="without its own convolutions"):
        use_tiles(nn.Sequential(layer))
    assert type(layer) is nn.Conv2d


def test_the_code_for_real_tiles_compiles_everywhere() -> None:
    build(FOR_TILES)
