"""A net's multiply-adds and bytes, against other counters, hooks, and sums by hand."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.roofline.counting import Layer, count_network
from resnet_core.models.config import parse_model_name
from resnet_core.models.cost import count_cost
from resnet_core.models.network import Network

NETS = [
    (name, shortcut)
    for name in ("plain8", "resnet8_v1", "resnet11_v2", "highway8", "resnet20_v1")
    for shortcut in ("A", "B", "tutorial")
    if (name, shortcut) != ("highway8", "tutorial")
]


@pytest.mark.parametrize(("name", "shortcut"), NETS)
def test_work_and_weights_are_those_others_count(name: str, shortcut: str) -> None:
    config = parse_model_name(name, shortcut=shortcut)
    counted = count_network(config)
    network = Network(config).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as theirs:
        network(torch.zeros(1, 3, 32, 32))
    assert counted.flops == theirs.get_total_flops()
    assert counted.multiply_adds == count_cost(config).multiply_adds
    assert sum(layer.weights for layer in counted.layers) == count_cost(config).params


@pytest.mark.parametrize(("name", "shortcut"), NETS)
def test_convolutions_move_what_hooks_on_the_modules_see(name: str, shortcut: str) -> None:
    config = parse_model_name(name, shortcut=shortcut)
    seen: dict[str, tuple[int, int, int]] = {}
    network = Network(config).eval()
    for path, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(
                lambda m, given, out, path=path: seen.update(
                    {path: (sum(p.numel() for p in m.parameters()), given[0].numel(), out.numel())}
                )
            )
    with torch.no_grad():
        network(torch.zeros(1, 3, 32, 32))
    ours = {
        layer.name: (layer.weights, layer.values_read, layer.values_written)
        for layer in count_network(config).layers
        if layer.multiply_adds
    }
    assert ours == seen


def test_bytes_of_a_small_net_are_those_counted_by_hand() -> None:
    """resnet8_v1 with 8 x 8 pixels: a block a stage, so every tensor fits on a page."""
    counted = count_network(parse_model_name("resnet8_v1", input_size=8, classes=10))
    first, second, third = 16 * 8 * 8, 32 * 4 * 4, 64 * 2 * 2  # values of each stage's tensors
    image = 3 * 8 * 8
    moved = image  # normalised pixels written
    moved += image + first  # stem
    moved += 2 * (first + first) + first  # stage 1: two convolutions, the shortcut read again
    moved += (first + second) + (second + second)  # stage 2: its convolutions
    moved += second // 2 + second + second  # every second pixel, padded, then added
    moved += (second + third) + (third + third) + third // 2 + third + third
    moved += third + 64 + 64 + 10  # pooling, classifier
    assert counted.traffic("fp32").activations == 4 * moved
    assert counted.traffic("int8").activations == moved
    kernels = 9 * (3 * 16 + 2 * 16 * 16 + 16 * 32 + 32 * 32 + 32 * 64 + 64 * 64)
    weights = kernels + 2 * (3 * 16 + 2 * 32 + 2 * 64) + 65 * 10  # scales, shifts, classifier
    assert counted.traffic("bf16", 8).weights == 2 * weights / 8
    assert counted.traffic("fp32").ends == image + 4 * 10
    ideal = counted.traffic("fp16", 4)
    assert ideal.ideal == 2 * weights / 4 + image + 40
    assert ideal.layered == ideal.ideal + 2 * moved


def test_highway_gates_and_additions_read_their_other_operands() -> None:
    highway = count_network(parse_model_name("highway8"))
    gating = [layer for layer in highway.layers if layer.kind == "gating"]
    assert [layer.values_read for layer in gating] == [2 * 16384, 2 * 8192, 2 * 4096]
    plain = count_network(parse_model_name("plain8"))
    assert not [layer for layer in plain.layers if layer.kind in ("addition", "gating", "padding")]


def test_a_net_for_photos_is_counted_with_its_pooling_and_groups() -> None:
    config = parse_model_name("resnext50_32x4d", input_size=64, classes=10)
    counted = count_network(config)
    cost = count_cost(config)
    assert counted.multiply_adds == cost.multiply_adds
    assert sum(layer.weights for layer in counted.layers) == cost.params
    (first, last) = [layer for layer in counted.layers if layer.kind == "pooling"]
    assert first == Layer("maxpool", "pooling", 0, 0, 64 * 32 * 32, 64 * 16 * 16)
    assert last == Layer("avgpool", "pooling", 0, 0, 2048 * 2 * 2, 2048)
    additions = [layer.name for layer in counted.layers if layer.kind == "addition"]
    assert additions[:4] == ["layer1.0", "layer1.1", "layer1.2", "layer2.0"]
