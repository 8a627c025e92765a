"""How pixels become numbers where a checkpoint does not say: tried on training images, or named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_core.doctor import trial
from resnet_core.doctor.diagnose import diagnose
from resnet_core.doctor.normalisation import normalisation_named
from resnet_core.training.find import find_model
from resnet_core.zoo import find_in_zoo
from tests.resnet_core.doctor.ports import (
    MEAN,
    STD,
    Port,
    logits,
    save,
    some_pixels,
)


def as_port(name: str) -> Port:
    """A shipped net's weights in the port of the same shape, by the port's names."""
    state = find_model(name, Path()).saved.model.network.state_dict()
    changes = {"stem.0": "conv1", "stem.1": "bn1", "classifier": "linear", "stage": "layer"}
    for ours, theirs in changes.items():
        state = {theirs + k[len(ours) :] if k.startswith(ours) else k: t for k, t in state.items()}
    net = Port(3)
    net.load_state_dict(state, strict=True)
    return net.eval()


def test_the_normalisation_that_fits_is_found_on_training_images(
    tmp_path: Path, cifar10, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "TRIAL_IMAGES", 300)
    recipe = find_in_zoo("resnet20_v1").card["recipe"]
    assert recipe["normalisation"] == "per_channel"  # which on CIFAR-10 is the row `cifar10`
    net = as_port("resnet20_v1")
    found = diagnose(save(net.state_dict(), tmp_path / "a.pth"))
    no_test = replace(cifar10, test=cifar10.test.take(torch.arange(0)))
    tried = trial.try_normalisations(found.states, no_test, None)
    best = tried.best
    assert best.config.name == "resnet20_v1" and tried.fits(best)
    assert {"cifar10"} <= {row.normalisation.name for row in (best, *tried.rivals)}
    rows = {(row.config.family, row.normalisation.name): row for row in tried.rows}
    assert len(rows) == 2 * 6
    assert rows["resnet_v1", "raw"].error_percent > best.error_percent + 5
    assert rows["plain", "cifar10"].error_percent > 70
    held_out = torch.randperm(50_000, generator=torch.Generator().manual_seed(0))[:300]
    images, labels = cifar10.train.images[held_out], cifar10.train.labels[held_out]
    theirs = 100 * (logits(net, images, MEAN, STD).argmax(1) != labels).float().mean().item()
    assert rows["resnet_v1", "imagenet"].error_percent == pytest.approx(theirs, abs=0.34)  # a tie


def test_a_trial_chooses_where_nothing_is_said_and_refuses_where_nothing_fits(
    tmp_path: Path, do_import: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, cifar10
) -> None:
    monkeypatch.setattr(trial, "TRIAL_IMAGES", 100)
    monkeypatch.setattr("resnet_core.doctor.answers.load_dataset", lambda *_: cifar10)
    words = ("--try-normalisations", "--data", "cifar10")
    said = do_import(save(Port(1).state_dict(), tmp_path / "untrained.pth"), *words, fails=True)
    assert "No usual normalisation fits" in said
    path = save({"state_dict": as_port("resnet20_v1").state_dict()}, tmp_path / "a.pth")
    card = do_import(path, *words)
    tried = card["imported"]["tried"]
    assert card["imported"]["normalisation"] == tried[0]["normalisation"]
    assert [row["error_percent"] for row in tried] == sorted(row["error_percent"] for row in tried)
    assert "100 of cifar10's training images" in card["imported"]["tried_on"]
    chosen = do_import(path, *words, "--normalisation", "half", "--name", "b")["imported"]
    assert chosen["normalisation"] == "half" and len(chosen["tried"]) == len(tried)


def test_named_normalisations_are_what_torchvision_computes() -> None:
    images = some_pixels()
    for text, mean, std in (
        ("imagenet", MEAN, STD),
        ("half", (0.5,) * 3, (0.5,) * 3),
        ("0.1,0.2,0.3/0.4,0.5,0.6", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
    ):
        found = normalisation_named(text, None)
        ours = (images.float() - found.mean) / found.std
        x = images.permute(0, 3, 1, 2).float() / 255
        theirs = (x - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
        torch.testing.assert_close(ours.permute(0, 3, 1, 2), theirs, atol=1e-5, rtol=1e-5)
