"""Gradient norms in events: what autograd says of the weights the step began with."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from resnet_core.data.dataset import Dataset, channel_statistics, pixel_mean, split_validation
from resnet_core.errors import LabError
from resnet_core.events import EpochFinished
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import PixelModel
from resnet_core.runs.folder import RunFolder
from resnet_core.training.config import TrainConfig
from resnet_core.training.loop import train
from resnet_core.training.recipes import find_recipe
from resnet_core.training.setup import epoch_order

FEW = torch.arange(60)


@pytest.fixture
def few(shapes: Dataset) -> Dataset:
    return Dataset("shapes", shapes.train.take(FEW), shapes.test.take(FEW), shapes.class_names)


def one_step_config(model: str, recipe: str) -> TrainConfig:
    return TrainConfig(
        parse_model_name(model),
        "shapes",
        find_recipe(recipe).changed(epochs=1 / 5, batch_size=10, augmentation="none"),
        data_folder="",
        seed=3,
        device="cpu",
        precision="fp32",
        compile="off",
    )


@pytest.mark.parametrize(
    ("model", "recipe", "measure"),
    [("plain8", "fast", channel_statistics), ("resnet11_v2", "paper", pixel_mean)],
)
def test_norms_are_those_of_the_loss_before_the_step(
    tmp_path: Path, few: Dataset, model: str, recipe: str, measure
) -> None:
    config = one_step_config(model, recipe)
    event = next(e for e in train(config, few, RunFolder(tmp_path)) if isinstance(e, EpochFinished))
    assert event.step == 1
    kept, _ = split_validation(few.train, 6, 0)
    torch.manual_seed(3)
    net = PixelModel(config.model, *measure(kept)).train()
    batch = kept.take(epoch_order(len(kept), 3, 0)[:10])
    loss = F.cross_entropy(
        net(batch.images), batch.labels, label_smoothing=config.recipe.label_smoothing
    )
    squares: dict[str, float] = {}
    names, parameters = zip(*net.network.named_parameters(), strict=True)
    for name, gradient in zip(names, torch.autograd.grad(loss, parameters), strict=True):
        part = name.split(".")[0]
        squares[part] = squares.get(part, 0.0) + float((gradient.double() ** 2).sum())
    expected = {part: math.sqrt(square) for part, square in squares.items()}
    assert ("pre_logits" in expected) == (model == "resnet11_v2") and len(expected) >= 5
    assert event.gradient_norms == pytest.approx(expected, rel=1e-4)


def test_a_diverged_run_says_what_to_do(run_module, tmp_path: Path) -> None:
    words = ["train", "--model", "resnet8_v1", "--data", "shapes", "--recipe", "taste"]
    done = run_module(
        "resnet_core", *words, "--lr", 99, "--weight-decay", 50, "--run", tmp_path / "run"
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    folder = RunFolder(tmp_path / "run")
    for said in (done.stderr, folder.error_file.read_text()):
        assert "no longer a finite number at step" in said and "--lr, here 99" in said
    assert all("NaN" not in line for line in folder.events_file.read_text().splitlines())


def test_an_infinite_gradient_of_a_finite_loss_ends_the_run(
    tmp_path: Path, few: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "resnet_core.training.loop.gradient_norms", lambda network: {"stem": math.inf}
    )
    with pytest.raises(LabError, match="finite number at step 1"):
        list(train(one_step_config("plain8", "fast"), few, RunFolder(tmp_path)))
