"""Fine-tuning: what is taken over, what stays to the bit, what learns how fast, and from what features."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from resnet_core.data.dataset import load_dataset
from resnet_core.data.own_store import PreparedImages
from resnet_core.events import Finished, Started
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import PixelModel, build_network
from resnet_core.models.saved import load_model
from resnet_core.runs.folder import RunFolder
from resnet_core.training import feed
from resnet_core.training.config import TrainConfig
from resnet_core.training.distributed import ALONE
from resnet_core.training.loop import train
from resnet_core.training.optimizers import make_optimizers
from resnet_core.training.recipes import Recipe, find_recipe, fit_to_images
from resnet_core.training.setup import make_learner, set_up
from resnet_core.training.start import find_start
from resnet_core.training.transfer import set_modes
from tests.resnet_core.few_pictures import draw_few, save_start

# What stays, as prefixes of parameter names, written out by hand.
FROZEN = {
    ("resnet8_v1", "head"): ("stem.", "stage1.", "stage2.", "stage3.", "pre_logits."),
    ("resnet8_v1", "last_stage"): ("stem.", "stage1.", "stage2."),
    ("resnet11_v2", "last_stage"): ("stem.", "stage1.", "stage2."),
    ("resnet18", "head"): ("conv1.", "bn1.", "layer1.", "layer2.", "layer3.", "layer4."),
    ("resnet18", "last_stage"): ("conv1.", "bn1.", "layer1.", "layer2.", "layer3."),
}


@pytest.fixture(scope="module")
def few(tmp_path_factory) -> PreparedImages:
    return draw_few(tmp_path_factory.mktemp("data"))


def config_from(start: Path, few: PreparedImages, **changes: object) -> TrainConfig:
    found = find_start(str(start), Path("nowhere"))
    recipe = find_recipe("finetune").changed(**{"epochs": 2, "batch_size": 8, **changes})
    return TrainConfig(
        model=found.model_for(few.class_names, few.report.image_size),
        data=few.name,
        recipe=found.recipe_for(recipe),
        data_folder=str(few.file.parent.parent),
        start=found.start,
        device="cpu",
        precision="fp32",
        threads=1,
    )


def trained(config: TrainConfig, folder: Path) -> tuple[dict[str, Tensor], list]:
    """All tensors after training, and the events."""
    run = RunFolder(folder)
    run.path.mkdir()
    events = list(train(config, load_dataset(config.data, Path(config.data_folder)), run))
    return load_file(run.last_model_file), events


@pytest.mark.parametrize("name", ["plain8", "resnet8_v1", "resnet11_v2", "highway8", "resnet18"])
def test_the_parts_in_turn_are_the_net(name: str) -> None:
    torch.manual_seed(0)
    net = build_network(parse_model_name(name, classes=5, input_size=32)).eval()
    x = torch.randn(2, 3, 32, 32)
    passed = x
    for part in net.parts:
        passed = part(passed)
    assert torch.equal(passed, net(x))
    owned = [id(p) for part in net.parts for p in part.parameters()]
    assert sorted(owned) == sorted(id(p) for p in net.parameters())


def test_a_run_begins_with_all_of_the_start_but_its_head(tmp_path: Path, few) -> None:
    start = save_start(tmp_path / "start.safetensors")
    heads = []
    for seed in (0, 0, 1):
        config = replace(config_from(start, few), seed=seed)
        dataset = load_dataset(config.data, Path(config.data_folder))
        setup = set_up(config, dataset, RunFolder(tmp_path / "run"), ALONE)
        state = make_learner(setup).model.state_dict()
        theirs = load_file(start)
        same = [n for n in state if not n.startswith("network.classifier.")]
        assert same and all(torch.equal(state[name], theirs[name]) for name in same)
        heads.append(state["network.classifier.weight"])
    assert heads[0].shape == (4, 64) and torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize(("name", "part"), FROZEN)
def test_what_is_frozen_stays_to_the_bit_and_the_rest_learns(
    tmp_path: Path, few, name: str, part: str
) -> None:
    start = save_start(tmp_path / "start.safetensors", name)
    after, events = trained(config_from(start, few, train_part=part), tmp_path / "run")
    before = load_file(start)
    stays = [n for n in before if n.removeprefix("network.").startswith(FROZEN[name, part])]
    assert any("running_mean" in n for n in stays)
    assert all(torch.equal(before[n], after[n]) for n in stays)
    head = ("network.classifier.", "network.fc.")
    learns = [n for n in before if n.startswith("network.") and n not in stays]
    assert all(n.startswith(head) or not torch.equal(before[n], after[n]) for n in learns)
    assert any("running_mean" in n for n in learns) == (part == "last_stage")
    assert isinstance(events[0], Started) and "computed once" in events[0].learns
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize(
    ("name", "part", "augmentation"),
    [
        ("resnet8_v1", "head", "none"), ("resnet8_v1", "head", "flip"),
        ("resnet8_v1", "last_stage", "none"), ("resnet11_v2", "last_stage", "flip"),
        ("resnet18", "last_stage", "flip"),
    ],
)  # fmt: skip
def test_features_computed_once_give_the_same_net(
    tmp_path: Path, few, monkeypatch, name: str, part: str, augmentation: str
) -> None:
    config = config_from(
        save_start(tmp_path / "start.safetensors", name), few, train_part=part,
        augmentation=augmentation, optimizer="sgd", lr=0.01,
    )  # fmt: skip
    cached, cached_events = trained(config, tmp_path / "cached")
    monkeypatch.setattr(feed, "can_cache", lambda *_: False)
    computed, events = trained(config, tmp_path / "computed")
    assert "computed once" in cached_events[0].learns and "every step" in events[0].learns
    for tensor in cached:
        assert torch.allclose(cached[tensor], computed[tensor], rtol=0, atol=1e-5), tensor
    losses = [
        [(e.train_loss, e.validation_loss) for e in run if e.kind == "epoch"]
        for run in (cached_events, events)
    ]
    assert np.allclose(*losses, atol=1e-5)


def test_large_features_and_many_variants_are_computed_in_every_step(tmp_path, few, monkeypatch):
    config = config_from(save_start(tmp_path / "s.safetensors"), few, train_part="head")
    model = PixelModel(config.model, torch.zeros(3), torch.ones(3))
    set_modes(model, config.recipe)
    monkeypatch.setattr(feed, "MOST_CACHED_BYTES", 2 * 100 * 64 * 4)  # flips of 64 floats each
    assert feed.can_cache(model, config.recipe, 100)
    assert not feed.can_cache(model, config.recipe, 101)
    assert feed.can_cache(model, config.recipe.changed(augmentation="none"), 200)
    for changes in ({"augmentation": "crop_flip"}, {"train_part": "all"}):
        assert not feed.can_cache(model, config.recipe.changed(**changes), 1)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon"])
@pytest.mark.parametrize("name", ["resnet8_v1", "resnet18"])
def test_each_stage_learns_at_its_share_of_the_next_ones_rate(name: str, optimizer: str) -> None:
    model = PixelModel(parse_model_name(name, classes=3), torch.zeros(3), torch.ones(3))
    recipe = find_recipe("finetune").changed(
        optimizer=optimizer, lr=1.0, muon_lr=1.0, stage_lr_factor=0.5, train_part="all"
    )
    optimizers = make_optimizers(recipe, model.network)
    rates = {
        id(p): g["lr"] for o in optimizers.members for g in o.param_groups for p in g["params"]
    }
    order = (
        ("classifier", "stage3", "stage2", "stage1", "stem")
        if name == "resnet8_v1"
        else ("fc", "layer4", "layer3", "layer2", "layer1", "conv1")
    )
    for distance, prefix in enumerate(order):
        named = [p for n, p in model.network.named_parameters() if n.startswith(prefix + ".")]
        assert named and {rates[id(p)] for p in named} == {0.5**distance}
    assert len(rates) == len(list(model.parameters()))


def test_the_guess_is_of_the_commonest_training_class(tmp_path: Path, few) -> None:
    config = config_from(save_start(tmp_path / "start.safetensors"), few, train_part="head")
    dataset = load_dataset(config.data, Path(config.data_folder))
    # Of the training images nearly all are of class 2; of the test images some are.
    skewed = torch.where(torch.arange(len(dataset.train)) % 10 == 0, dataset.train.labels, 2)
    dataset = replace(dataset, train=replace(dataset.train, labels=skewed))
    run = RunFolder(tmp_path / "run")
    finished = list(train(config, dataset, run))[-1]
    assert isinstance(finished, Finished)
    expected = 100 * np.mean(dataset.test.labels.numpy() != 2)
    assert finished.majority_error_percent == pytest.approx(expected)


def test_few_images_make_small_steps() -> None:
    recipe: Recipe = find_recipe("finetune")
    assert fit_to_images(recipe, 200).batch_size == 8
    assert fit_to_images(recipe, 50_000).batch_size == recipe.batch_size


def test_a_mean_picture_stays_and_fixes_the_size(tmp_path: Path, few) -> None:
    mean = torch.rand(32, 32, 3) * 255
    start = save_start(tmp_path / "start.safetensors", mean=mean)
    config = config_from(start, few)
    assert config.recipe.normalisation == "per_pixel_mean"
    after, _ = trained(config, tmp_path / "run")
    assert torch.equal(after["mean"], mean)
    found = find_start(str(start), tmp_path)
    with pytest.raises(Exception, match="mean picture of 32 x 32 pixels"):
        found.model_for(("a", "b"), 64)
    small = load_model(tmp_path / "run" / "last.safetensors")
    assert small.class_names == few.class_names
