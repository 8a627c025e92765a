"""Nothing is measured on images that a net was trained on, unless that is what is meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from resnet_core.analysis.images import take_some, training_images, unseen_images
from resnet_core.data.dataset import split_validation
from resnet_core.errors import ConfigError
from resnet_core.training.find import FoundModel


def found(folder: Path, validation_images: int, split_seed: int = 0) -> FoundModel:
    folder.mkdir()
    facts = {"recipe": {"validation_images": validation_images}, "split_seed": split_seed}
    (folder / "card.json").write_text(json.dumps(facts))
    return FoundModel(None, folder.name, "shapes", folder, None)


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
