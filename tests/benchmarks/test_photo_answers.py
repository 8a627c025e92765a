"""AlexNet, VGG and ResNets before one photo, against torchvision; weights come from a server here."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
import torch
import torchvision.models
from torchvision.transforms import functional as theirs

from benchmarks.work import answers
from benchmarks.work.predecessors import CROP_SHARE, Published, answer, load, published
from resnet_core.errors import ModelError
from resnet_core.pictures import read_input
from resnet_core.pretrained.download import Source
from tests.weights_server import serving, sha256_start

PHOTO = Path("ui/classify/examples/ship.jpg")


def test_what_is_said_of_the_weights_is_torchvisions() -> None:
    for net, weights in {
        "alexnet": torchvision.models.AlexNet_Weights.IMAGENET1K_V1,
        "vgg16": torchvision.models.VGG16_Weights.IMAGENET1K_V1,
        "vgg19": torchvision.models.VGG19_Weights.IMAGENET1K_V1,
    }.items():
        found = published(net)
        assert found.source.url == weights.url
        assert weights.url.endswith(f"-{found.source.sha256_start}.pth")
        assert 100 - found.top1_error_percent == pytest.approx(weights.meta["_metrics"]["ImageNet-1K"]["acc@1"])  # fmt: skip
    elsewhere = published("vgg16", "http://127.0.0.1:9/files/")
    assert elsewhere.source.url == "http://127.0.0.1:9/files/vgg16-397923af.pth"


def test_weights_are_asked_for_fetched_checked_and_answer_as_torchvision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    net = torchvision.models.alexnet().eval()
    packed = io.BytesIO()
    torch.save(net.state_dict(), packed)
    content = packed.getvalue()
    with serving(content) as server:
        source = Source(f"{server.url}/alexnet-x.pth", len(content), sha256_start(content))
        facts = Published("alexnet", source, 43.478)
        monkeypatch.setattr(answers, "COMPARATORS", ["alexnet"])
        monkeypatch.setattr(answers, "published", lambda _net, _server: facts)
        (said,) = answers.ask_predecessors(PHOTO, tmp_path)
        assert not said.classes and "--fetch gets them (244 MB)" in said.missing
        assert str(tmp_path / "alexnet-x.pth") in said.missing
        (missing,) = answers.missing_weights(tmp_path)
        assert [event.kind for event in answers.fetch(missing, tmp_path)][-1] == "fetching"
        assert not answers.missing_weights(tmp_path)
    (said,) = answers.ask_predecessors(PHOTO, tmp_path)
    seen = read_input(PHOTO, 224, CROP_SHARE)
    pixels = theirs.normalize(
        theirs.to_tensor(seen.copy()), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    with torch.inference_mode():
        expected = net(pixels[None]).softmax(1)[0]
    found = dict(answer(load("alexnet", tmp_path / "alexnet-x.pth"), seen))
    names = torchvision.models.AlexNet_Weights.DEFAULT.meta["categories"]
    # Two of ImageNet's classes share a name with another: crane, maillot.
    single = [i for i, name in enumerate(names) if names.count(name) == 1]
    torch.testing.assert_close(
        torch.tensor([found[names[i]] for i in single]), expected[single], atol=1e-6, rtol=1e-4
    )
    assert [name for name, _ in said.classes] == [names[i] for i in expected.topk(3).indices]
    damaged = bytearray(content)
    damaged[-1] ^= 1
    (tmp_path / "alexnet-x.pth").write_bytes(damaged)
    with pytest.raises(ModelError, match="is not the file it should be"):
        list(answers.ask_predecessors(PHOTO, tmp_path))


def test_other_weights_are_refused_in_a_sentence(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "w.pth")
    with pytest.raises(ModelError, match="holds no weights of AlexNet"):
        load("alexnet", tmp_path / "w.pth")


def test_nets_that_were_fetched_stand_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_module
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path / "runs"))
    torch.manual_seed(1)
    torch.save(torchvision.models.resnet18().state_dict(), tmp_path / "mine.pth")
    known = ["--normalisation", "imagenet", "--data", "imagenet"]
    for words in (["resnet_core", "import", tmp_path / "mine.pth", *known], ["export", "onnx", "mine"]):  # fmt: skip
        done = run_module(*words)
        assert done.returncode == 0, done.stderr
    asked = run_module("benchmarks", "photo-answers", PHOTO, "--weights-folder", tmp_path, "--json")
    assert asked.returncode == 0, asked.stderr
    rows = json.loads(asked.stdout)
    assert [row["net"] for row in rows] == ["alexnet", "vgg16", "vgg19", "mine"]
    assert all("--fetch" in row["missing"] for row in rows[:3])
    assert len(rows[3]["classes"]) == 3 and not rows[3]["missing"]
