"""Nothing is measured on images that a net was trained on, unless that is what is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from resnet_core.analysis.images import (
    take_some,
    training_images,
    unseen_images,
    validation_images,
)
from resnet_core.data.dataset import split_validation
from resnet_core.errors import ConfigError
from resnet_core.training.find import FoundModel


def found(folder: Path, validation_images: int, split_seed: int = 0) -> FoundModel:
    folder.mkdir()
    facts = {"recipe": {"validation_images": validation_images}, "split_seed": split_seed}
    (folder / "card.json").write_text(json.dumps(facts))
    return FoundModel(None, folder.name, "shapes", folder, None)


def finetuned(folder: Path, start: Path, aside: int = 100, data: str = "shapes") -> FoundModel:
    """A run that began with the weights in the folder `start`."""
    folder.mkdir()
    facts = {
        "recipe": {"validation_images": aside}, "split_seed": 0, "data": data,
        "start": {"name": start.name, "file": str(start / "model.safetensors"), "sha256": "0"},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(facts))
    return FoundModel(None, folder.name, data, folder, None)


def rows_of(split) -> set[bytes]:
    return {image.numpy().tobytes() for image in split.images}


def test_validation_images_where_all_models_set_the_same_aside(shapes, tmp_path: Path) -> None:
    models = [found(tmp_path / "a", 100, 4), found(tmp_path / "b", 100, 4)]
    chosen = unseen_images(models, shapes, 30, seed=0)
    trained, held_out = split_validation(shapes.train, 100, 4)
    assert chosen.name == "validation" and len(chosen.split) == 30
    assert rows_of(chosen.split) <= rows_of(held_out)
    assert len(unseen_images(models, shapes, 0, seed=0).split) == 100
    assert not rows_of(chosen.split) & rows_of(trained)


def test_no_more_than_training_sets_aside(shapes, tmp_path: Path) -> None:
    chosen = unseen_images([found(tmp_path / "a", 10**6)], shapes, 0, seed=0)
    assert chosen.name == "validation" and len(chosen.split) == len(shapes.train) // 10


def test_what_the_start_learned_from_is_not_unseen(shapes, tmp_path: Path) -> None:
    """And what the start's own start did, if another data set lies between."""
    found(tmp_path / "all", 0)
    between = finetuned(tmp_path / "between", tmp_path / "all", data="others")
    for number, start in enumerate([tmp_path / "all", between.folder, tmp_path / "gone"]):
        net = finetuned(tmp_path / f"net{number}", start)
        chosen = unseen_images([net], shapes, 20, seed=0)
        assert chosen.name == "test" and "started from one that learned" in chosen.reason
        assert validation_images(net.folder, shapes) is None
    itself = finetuned(tmp_path / "circle", tmp_path / "circle")
    assert validation_images(itself.folder, shapes) is None


def test_a_start_that_does_not_know_the_validation_images_changes_nothing(
    shapes, tmp_path: Path
) -> None:
    found(tmp_path / "same", 100)
    others = finetuned(tmp_path / "others", tmp_path / "same", aside=0, data="others")
    # A shipped one, learned from cifar10, of a checkout that was elsewhere.
    moved = tmp_path / "elsewhere" / "resnet20_v1"
    for number, start in enumerate([tmp_path / "same", others.folder, moved]):
        net = finetuned(tmp_path / f"net{number}", start)
        chosen = unseen_images([net], shapes, 0, seed=0)
        assert chosen.name == "validation" and len(chosen.split) == 100


@pytest.mark.parametrize("others", [[(0, 0)], [(100, 1)], [(50, 0)]])
def test_test_images_where_they_differ(shapes, tmp_path: Path, others) -> None:
    models = [found(tmp_path / "a", 100)]
    models += [found(tmp_path / f"other{n}", *other) for n, other in enumerate(others)]
    chosen = unseen_images(models, shapes, 20, seed=0)
    assert chosen.name == "test" and "no common validation images" in chosen.reason
    assert rows_of(chosen.split) <= rows_of(shapes.test)


def test_the_same_images_for_the_same_seed(shapes) -> None:
    first, again, other = (training_images(shapes, 40, seed).split for seed in (1, 1, 2))
    assert torch.equal(first.images, again.images) and not torch.equal(first.labels, other.labels)
    with pytest.raises(ConfigError, match="choose 1 or more"):
        take_some(shapes.train, -1, 0)
