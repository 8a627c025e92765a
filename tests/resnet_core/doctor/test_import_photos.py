"""Nets for photos by torchvision and by timm, imported: their own forward says the answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision.models
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from resnet_core.doctor.diagnose import choose
from resnet_core.doctor.fit import fit
from resnet_core.doctor.reading import Reading
from resnet_core.doctor.schemes import recognise
from resnet_core.errors import LabError
from resnet_core.models.photo_families import photo_nets
from resnet_core.training.find import find_model
from tests.resnet_core.doctor.ports import logits, save, unsettle

KNOWN = ("--normalisation", "imagenet")
CLASSES = 7
Import = Callable[..., Any]


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(f"kind {i}" for i in range(CLASSES)))
    return path


def of_torchvision(name: str, classes: int = CLASSES) -> nn.Module:
    return getattr(torchvision.models, name)(num_classes=classes)


def of_timm(name: str, classes: int = CLASSES) -> nn.Module:
    return timm.create_model(name, num_classes=classes)


def with_the_papers_stride(net: nn.Module) -> nn.Module:
    for block in net.modules():
        if isinstance(block, Bottleneck):
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return net


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], Any], str, str]] = {
    "torchvision's": (
        lambda: of_torchvision("resnet18"), lambda n: n.state_dict(), "resnet18-0123.pth", "resnet18",
    ),
    "timm's, safetensors": (
        lambda: of_timm("resnet50"), lambda n: n.state_dict(), "model.safetensors", "resnet50",
    ),
    "timm's in a DataParallel": (
        lambda: of_timm("resnext50_32x4d"), lambda n: {"state_dict": nn.DataParallel(n).state_dict()},
        "model_best.pth.tar", "resnext50_32x4d",
    ),
    "the paper's stride": (
        lambda: with_the_papers_stride(of_torchvision("resnet50")), lambda n: n.state_dict(),
        "caffe.pth", "resnet50_paper",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_imported_photo_net_answers_as_its_own_code(
    case: str, tmp_path: Path, names: Path, do_import: Import
) -> None:
    make, content, file, expected = CASES[case]
    torch.manual_seed(0)
    net = make()
    unsettle(net)
    stride = ("--stride-in", "1x1") if expected.endswith("_paper") else ()
    path = save(content(net), tmp_path / file)
    card = do_import(path, *KNOWN, *stride, "--classes", names, "--name", "theirs")
    assert card["name"] == expected and card["config"]["input_size"] == 224
    assert card["class_names"] == names.read_text().split("\n")
    assumed = " ".join(card["imported"]["assumed"])
    assert ("stride in the 3x3" in assumed) == (expected in ("resnet50", "resnext50_32x4d"))
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (2, 96, 96, 3), dtype=torch.uint8, generator=generator)
    theirs = logits(net.eval(), images)
    assert theirs.std() > 0.01
    with torch.no_grad():
        ours = find_model("theirs", tmp_path / "runs").saved.model(images)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def shapes_of(make: Callable[[], nn.Module]) -> dict[str, Tensor]:
    with torch.device("meta"):
        return make().state_dict()


def read(state: dict[str, Tensor]) -> Reading:
    scheme, named = recognise(state, "a.pth")
    return scheme.read(named, None)


def fit_as_told(state: dict[str, Tensor]) -> None:
    reading = read(state)
    fit(reading.named, choose(reading, None, None)[0])


IN_BOTH = [
    name for name in photo_nets() if hasattr(torchvision.models, name) and name in timm.list_models()
]  # fmt: skip


@pytest.mark.parametrize("name", IN_BOTH)
@pytest.mark.parametrize("of", [of_torchvision, of_timm])
def test_names_and_shapes_tell_every_net(name: str, of: Callable[..., nn.Module]) -> None:
    reading = read(shapes_of(lambda: of(name)))
    assert reading.configs[0].name == name and reading.configs[0].classes == CLASSES
    assert all(config.depth == reading.configs[0].depth for config in reading.configs)


def test_every_photo_net_of_torchvision_was_asked_about() -> None:
    assert len(IN_BOTH) == len(photo_nets()) - 5  # the paper's strides and nets without skips


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("resnet26", "2, 2, 2, 2 bottlenecks"),
        ("resnet50d", "a deep stem"),
        ("resnet10t", "a deep stem"),
        ("resnext101_32x16d", "32 groups of 16 channels"),
        ("resnet200", "3, 24, 36, 3 bottlenecks"),
        ("seresnet50", r"unexpected \(layer1\.0\.se\."),
        ("skresnet18", "missing"),
        ("res2net50_26w_4s", "in no way known here"),
        ("resnet50_gn", "missing"),
        ("resnetv2_50", "in no way known here"),
    ],
)
def test_what_timm_builds_otherwise_is_refused(name: str, reason: str) -> None:
    state = shapes_of(lambda: of_timm(name))
    with pytest.raises(LabError, match=reason) as refused:
        fit_as_told(state)
    assert "\n" not in str(refused.value)


def whole() -> dict[str, Tensor]:
    return of_torchvision("resnet18", 5).state_dict()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s.pop("layer3.1.conv2.weight"), r"1 is missing \(layer3\.1\.conv2\.weight\)"),
        (lambda s: [s.pop(k) for k in list(s) if k.startswith("layer4")], "begins with 64 channels"),
        (lambda s: [s.pop(k) for k in list(s) if ".downsample." in k], "that lost its downsample"),
        (lambda s: [s.pop(k) for k in list(s) if "layer2.0.downsample" in k], "looks like resnet18"),
        (lambda s: [s.pop(k) for k in list(s) if k.startswith("fc.")], "no last layer"),
        (lambda s: s.update({"conv1.weight": torch.zeros(64, 3, 3, 3)}), "ResNet-18 with a 3x3 stem"),
        (lambda s: s.update({"conv1.weight": torch.zeros(64, 1, 7, 7)}), "from 1 to 64 channels"),
        (lambda s: s.update({"conv1.weight": torch.zeros(3)}), "no stem"),
        (lambda s: s["layer1.0.conv1.weight"].view(-1).__setitem__(3, torch.nan), "NaN or infinite"),
        (lambda s: s["bn1.running_var"].fill_(-1), "negative variances"),
        (lambda s: s.update({"layer1.0.attention.weight": torch.zeros(3)}), "unexpected"),
        (lambda s: s.update({"fc.weight": torch.zeros(5, 9)}), "another shape"),
    ],
)  # fmt: skip
def test_photo_nets_that_are_not_wholly_there_are_refused(
    change: Callable[[dict[str, Tensor]], Any], reason: str
) -> None:
    state = whole()
    change(state)
    with pytest.raises(LabError, match=reason):
        fit_as_told(state)


def test_what_can_not_be_known_is_asked_for_or_said(
    tmp_path: Path, names: Path, do_import: Import
) -> None:
    net = of_torchvision("resnet18", 1000)
    path = save(net.state_dict(), tmp_path / "r.pth")
    assert "--normalisation" in do_import(path, fails=True)
    assert "should hold 1000 different" in do_import(path, *KNOWN, "--classes", names, fails=True)
    assert "can't be of family photo_plain" in do_import(path, *KNOWN, "--family", "photo_plain", fails=True)  # fmt: skip
    card = do_import(path, *KNOWN)
    theirs = torchvision.models.ResNet18_Weights.DEFAULT.meta["categories"]
    assert card["class_names"] == theirs and card["data"] == "unknown"
    assert any("ImageNet's, in torchvision's order" in said for said in card["imported"]["assumed"])
    assert any("0.875 of a picture's shorter side" in said for said in card["imported"]["assumed"])
    told = ("--data", "imagenet", "--crop-share", "0.875", "--name", "said")
    said = do_import(path, *KNOWN, *told)
    assert said["class_names"] == theirs and said["data"] == "imagenet"
    assert not said["imported"]["assumed"]


def test_a_net_without_skips_is_imported_when_it_is_said_to_be_one(
    tmp_path: Path, names: Path, do_import: Import
) -> None:
    state = {k: t for k, t in of_torchvision("resnet18").state_dict().items() if ".downsample." not in k}  # fmt: skip
    path = save(state, tmp_path / "plain.pth")
    words = (*KNOWN, "--classes", names)
    assert "--family photo_plain" in do_import(path, *words, fails=True)
    assert do_import(path, *words, "--family", "photo_plain")["name"] == "plain18_photo"


def test_a_resnext_has_no_twin_that_strides_in_its_first_convolution() -> None:
    reading = read(shapes_of(lambda: of_torchvision("resnext50_32x4d")))
    with pytest.raises(LabError, match="stride in the 3x3"):
        choose(reading, None, "1x1")
    both = read(shapes_of(lambda: of_torchvision("resnet101")))
    for stride, name in (("1x1", "resnet101_paper"), ("3x3", "resnet101"), (None, "resnet101")):
        assert choose(both, None, stride)[0].name == name
