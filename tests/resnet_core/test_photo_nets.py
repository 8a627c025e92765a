"""Nets for photos against torchvision's: weights, logits, gradients, parameters, work."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision.models as theirs_by_name
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

from resnet_core.__main__ import main
from resnet_core.analysis.gradient_flow import weight_layers
from resnet_core.analysis.surgery import find_blocks
from resnet_core.config_options import add_config, config_of
from resnet_core.errors import ConfigError, ModelError
from resnet_core.models.commands import describe_row
from resnet_core.models.config import FAMILIES, ModelConfig, parse_model_name
from resnet_core.models.cost import count_cost
from resnet_core.models.network import Network, PixelModel, build_network
from resnet_core.models.photo_blocks import PhotoBlock
from resnet_core.models.photo_families import PHOTO_FAMILIES, photo_nets
from resnet_core.models.photo_network import PhotoNetwork
from resnet_core.models.saved import load_model, save_model

NAMES = list(photo_nets())
IN_TORCHVISION = [name for name in NAMES if hasattr(theirs_by_name, name)]
CLASSES = 6


class BlockWithoutSkip(BasicBlock):
    def __init__(self, inplanes: int, planes: int, stride: int = 1, *_rest, **_more) -> None:
        super().__init__(inplanes, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(out)))


def make_theirs(name: str, classes: int = CLASSES) -> ResNet:
    """torchvision's net; where it has none, its ResNet with other strides or without skips."""
    if name in IN_TORCHVISION:
        return getattr(theirs_by_name, name)(num_classes=classes)
    twin = name.removesuffix("_paper").removesuffix("_photo").replace("plain", "resnet")
    if name.endswith("_photo"):
        blocks = {"resnet18": [2, 2, 2, 2], "resnet34": [3, 4, 6, 3]}[twin]
        return ResNet(BlockWithoutSkip, blocks, num_classes=classes)
    net = getattr(theirs_by_name, twin)(num_classes=classes)
    for block in net.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return net


def on_meta(make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device("meta"):
        return make().eval()


def shake_norms(net: nn.Module) -> None:
    generator = torch.Generator().manual_seed(1)
    for norm in net.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor, low in ((norm.bias.data, -0.5), (norm.weight.data, 0.5)):
                tensor.copy_(low + torch.rand(tensor.shape, generator=generator))


@pytest.mark.parametrize("name", NAMES)
def test_weights_logits_and_gradients_are_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    theirs = make_theirs(name)
    shake_norms(theirs)
    ours = on_meta(lambda: build_network(parse_model_name(name, classes=CLASSES, input_size=64)))
    copies = {key: tensor.clone() for key, tensor in theirs.state_dict().items()}
    ours.load_state_dict(copies, strict=True, assign=True)
    assert list(ours.state_dict()) == list(copies)
    x = torch.randn(2, 3, 64, 64)
    probe = torch.randn(2, CLASSES)
    answers = []
    for net in (ours.train(), theirs.train()):
        given = x.clone().requires_grad_()
        logits = net(given)
        wanted = [given, *net.parameters()]
        answers.append([logits, *torch.autograd.grad((logits * probe).sum(), wanted)])
    assert answers[0][0].std() > 1e-3  # the pictures are told apart at all
    for a, b in zip(*answers, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * max(1.0, b.abs().max().item()))
    # Means and variances have followed the batch in the same way, and are used in the same way.
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        a, b = ours.eval()(x), theirs.eval()(x)
    assert b.isfinite().all()
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5 * max(1.0, b.abs().max().item()))


@pytest.mark.parametrize("name", NAMES)
def test_parameters_and_work_are_those_others_count(name: str) -> None:
    cost = count_cost(parse_model_name(name))
    theirs = on_meta(lambda: make_theirs(name, classes=1000))
    assert cost.params == sum(p.numel() for p in theirs.parameters())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        theirs(torch.empty(1, 3, 224, 224, device="meta"))
    assert 2 * cost.multiply_adds == counter.get_total_flops()


@pytest.mark.parametrize("name", IN_TORCHVISION)
def test_torchvisions_cards_say_the_same(name: str) -> None:
    card = theirs_by_name.get_model_weights(name).DEFAULT.meta
    cost = count_cost(parse_model_name(name))
    assert cost.params == card["num_params"]
    assert round(cost.multiply_adds / 1e9, 3) == card["_ops"]


def test_every_torchvision_resnet_is_in_the_table() -> None:
    theirs = theirs_by_name.list_models(module=theirs_by_name)
    family = [name for name in theirs if re.match("(wide_)?resne[xt]", name)]
    assert set(family) == set(IN_TORCHVISION)


@pytest.mark.parametrize("name", NAMES)
def test_layers_with_weights_are_as_many_as_the_depth(name: str) -> None:
    config = parse_model_name(name)
    assert len(weight_layers(on_meta(lambda: build_network(config)))) == config.depth
    assert config.depth == int(re.findall(r"\d+", name)[0])


@pytest.mark.parametrize("depth", [18, 34])
def test_a_plain_net_is_the_resnet_without_its_skips(depth: int) -> None:
    torch.manual_seed(0)
    small = {"classes": CLASSES, "input_size": 64}
    plain = build_network(parse_model_name(f"plain{depth}_photo", **small)).eval()
    residual = build_network(parse_model_name(f"resnet{depth}", **small)).eval()
    of_skips = residual.state_dict().keys() - plain.state_dict().keys()
    assert of_skips and all(".downsample." in key for key in of_skips)
    assert plain.state_dict().keys() < residual.state_dict().keys()
    residual.load_state_dict(plain.state_dict(), strict=False)
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        with_skips = residual(x)
        for block in residual.modules():
            if isinstance(block, PhotoBlock):
                block.downsample.register_forward_hook(lambda _m, _i, out: out * 0)
        torch.testing.assert_close(residual(x), plain(x), rtol=1e-6, atol=0)
        assert not torch.allclose(with_skips, plain(x), rtol=0.1)


@pytest.mark.parametrize("depth", [50, 101, 152])
def test_the_papers_stride_is_less_work_with_the_same_parameters(depth: int) -> None:
    usual, paper = parse_model_name(f"resnet{depth}"), parse_model_name(f"resnet{depth}_paper")
    shapes = [
        {k: v.shape for k, v in on_meta(lambda c=c: build_network(c)).state_dict().items()}
        for c in (usual, paper)
    ]
    assert shapes[0] == shapes[1]
    # Three 1x1 convolutions then see a quarter of the places, and no 3x3 more than before.
    saved = sum(3 * side**2 * wide * deep for side, wide, deep in ((28, 256, 128), (14, 512, 256), (7, 1024, 512)))  # fmt: skip
    assert count_cost(usual).multiply_adds - count_cost(paper).multiply_adds == saved


def test_features_are_what_the_classifier_averages() -> None:
    net = build_network(parse_model_name("resnet18", classes=CLASSES)).eval()
    assert isinstance(net, PhotoNetwork)
    x = torch.randn(2, 3, 96, 64)
    with torch.no_grad():
        features = net.features(x)
        assert features.shape == (2, 512, 3, 2)
        torch.testing.assert_close(net(x), net.fc(features.mean((2, 3))))


def test_names_are_read_in_one_way_only() -> None:
    patterns = [family.pattern.replace("{depth}", r"\d+") for family in FAMILIES.values()]
    assert len(NAMES) == sum(len(f.example_depths) for f in PHOTO_FAMILIES.values()) == 15
    for name in NAMES:
        assert not any(re.fullmatch(pattern, name) for pattern in patterns)
        config = parse_model_name(name)
        assert config.name == name and config.is_photo
        assert (config.classes, config.input_size, config.shortcut) == (1000, 224, "B")
        assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
    small = parse_model_name("resnet50_v1")
    assert isinstance(build_network(small), Network) and not small.is_photo
    assert not FAMILIES.keys() & PHOTO_FAMILIES.keys()


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("plain34", {}, "nearest are 32 and 38; for photos there is resnet34 or plain34_photo."),
        ("resnet18_v1", {}, "nearest are 14 and 20; for photos there is resnet18 or plain18_photo."),
        ("resnet20", {}, "There is no model named 'resnet20'"),
        ("plain50_photo", {}, "There is no model named 'plain50_photo'"),
        ("resnet18_paper", {}, "plain18_photo"),
        ("resnet50", {"shortcut": "A"}, "use shortcut B, not A"),
        ("resnet50", {"shortcut": "C"}, "Unknown shortcut 'C'"),
    ],
)  # fmt: skip
def test_wrong_names_are_told_what_there_is(name: str, options: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        parse_model_name(name, **options)


def test_a_depth_that_a_photo_family_lacks_names_those_it_has() -> None:
    with pytest.raises(ConfigError, match="depths are 50, 101, 152"):
        ModelConfig("photo_resnet_paper", 34, "B")


def test_a_saved_photo_net_rebuilds_itself(tmp_path: Path) -> None:
    config = parse_model_name("resnet18", classes=3, input_size=32)
    model = PixelModel(config, torch.full((3,), 120.0), torch.full((3,), 58.0)).eval()
    save_model(tmp_path / "model.safetensors", model, ("a", "b", "c"))
    again = load_model(tmp_path / "model.safetensors")
    assert again.model.config == config and again.class_names == ("a", "b", "c")
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        torch.testing.assert_close(again.model(pixels), model(pixels))


def test_a_photo_net_without_all_its_weights_is_refused(tmp_path: Path) -> None:
    config = parse_model_name("resnet18", classes=3, input_size=32)
    model = PixelModel(config, torch.zeros(3), torch.ones(3))
    del model.network.layer4
    save_model(tmp_path / "model.safetensors", model, ("a", "b", "c"))
    with pytest.raises(ModelError, match="do not fit resnet18"):
        load_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    ("words", "shortcut"),
    [("resnet18", "B"), ("plain8", "A"), ("plain8 --shortcut B", "B"), ("resnet18 --shortcut B", "B")],
)  # fmt: skip
def test_the_command_line_leaves_the_shortcut_to_the_family(words: str, shortcut: str) -> None:
    parser = argparse.ArgumentParser()
    add_config(parser)
    parser.add_argument("--json", action="store_true")
    config = config_of(parser.parse_args(["--data", "shapes", "--model", *words.split()]))
    assert config.model.name == words.split()[0] and config.model.shortcut == shortcut
    assert (config.model.classes, config.model.input_size) == (10, 32)


def test_the_table_lists_nets_for_photos_with_their_cost(capsys, monkeypatch) -> None:
    monkeypatch.setattr("resnet_core.models.commands.FAMILIES", {"plain": FAMILIES["plain"]})
    assert main(["models", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(rows) == ["plain20", "plain32", "plain44", "plain56", "plain110", *NAMES]
    resnet = rows["resnet152"]
    assert (resnet["layers"], resnet["params"], resnet["input_size"]) == (152, 60_192_808, 224)
    assert describe_row(rows["resnet50"]).split()[:6] == [
        "resnet50",
        "50",
        "25.56",
        "M",
        "4,089.2",
        "M",
    ]


def test_surgery_says_that_it_is_for_small_nets() -> None:
    net = on_meta(lambda: build_network(parse_model_name("resnet18")))
    with pytest.raises(ConfigError, match="Only CIFAR nets can be operated on"):
        find_blocks(net)
