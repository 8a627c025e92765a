"""The command that a run keeps: given to the command line's own parser it makes the same config."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resnet_core.config_options import add_config, config_of
from resnet_core.models.config import parse_model_name
from resnet_core.training.config import TrainConfig
from resnet_core.training.new_run import reproducing_command
from resnet_core.training.recipes import RECIPES, fit_to_depth
from resnet_core.training.start import find_start
from tests.resnet_core.few_pictures import save_start

DATA = "shapes"
MODEL: dict[str, Any] = {"shortcut": "B", "gate_bias": -1e-05}
RECIPE: dict[str, Any] = {
    "epochs": 1 / 3,
    "batch_size": 7,
    "optimizer": "muon",
    "lr": 1e-05,
    "schedule": "one_cycle",
    "weight_decay": 1 / 7,
    "decay": "conv_l2",
    "augmentation": "none",
    "normalisation": "per_channel",
    "muon_lr": 2.0,
    "momentum": 1e-05,
    "nesterov": True,
    "label_smoothing": 0.123456789,
    "warmup_share": 0.25,
    "drop_points": (1 / 3, 0.875),
    "drop_factors": (1e-05, 1e-7),
    "warmup_lr": 1e-06,
    "warmup_until_error_percent": 12.3456789,
    "validation_images": 77,
    "keep": "best",
    "stage_lr_factor": 0.3,
}
RUN: dict[str, Any] = {
    "seed": -(2**63),
    "split_seed": 2**63 - 1,
    "device": "cpu",
    "precision": "bf16",
    "compile": "off",
    "threads": 3,
    "checkpoint_seconds": 1 / 3,
    "tensorboard": True,
}
# What says which net, data and folders are meant; a part alone is trained with a start, see below.
NAMED = {"model", "start", "data", "recipe", "image_size", "data_folder", "runs", "train_part"}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser()
    add_config(made)
    return made


def config_said_by(command: str) -> TrainConfig:
    """As `train` reads it, after `python -m resnet_core train`."""
    return config_of(parser().parse_args(shlex.split(command)[4:]))


def changed(names: set[str], net: str = "highway20") -> TrainConfig:
    """A run whose options of these names are not at their defaults."""

    def chosen(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if name in names}

    return TrainConfig(
        model=parse_model_name(net, **chosen(MODEL)),
        data=DATA,
        recipe=RECIPES["paper"].changed(**chosen(RECIPE)),
        data_folder=str(parser().get_default("data_folder")),
        **chosen(RUN),
    )


def test_every_option_is_looked_at_here() -> None:
    known = {*MODEL, *RECIPE, *RUN}
    assert {a.dest for a in parser()._actions} - NAMED - {"help"} == known
    default, all_changed = changed(set()), changed(known)
    for part in ("model", "recipe"):
        for name in MODEL if part == "model" else RECIPE:
            assert getattr(getattr(default, part), name) != getattr(
                getattr(all_changed, part), name
            )
    assert all(getattr(default, name) != getattr(all_changed, name) for name in RUN)


@pytest.mark.parametrize(
    "names",
    [
        set(),
        {*MODEL, *RECIPE, *RUN},
        *({name} for name in (*MODEL, *RECIPE, *RUN) if not name.startswith("drop_")),
        {"drop_points", "drop_factors"},
    ],
    ids=lambda names: "+".join(sorted(names))[:40],
)
def test_the_command_makes_the_same_config(names: set[str]) -> None:
    config = changed(names)
    assert config_said_by(reproducing_command(config)) == config


@pytest.mark.parametrize("net", ["resnet20_v1", "resnet110_v1", "resnet18", "plain34_photo"])
@pytest.mark.parametrize("recipe", ["paper", "tutorial", "fast", "taste"])
def test_so_it_does_for_every_recipe_and_kind_of_net(net: str, recipe: str) -> None:
    model = replace(parse_model_name(net), classes=10, input_size=32)
    config = replace(changed(set()), model=model, recipe=fit_to_depth(RECIPES[recipe], model.depth))
    assert config_said_by(reproducing_command(config)) == config


def test_points_that_a_recipe_has_can_be_left_out() -> None:
    recipe = RECIPES["paper"].changed(drop_points=(), drop_factors=())
    config = replace(changed(set()), recipe=recipe)
    assert config_said_by(reproducing_command(config)) == config


@pytest.mark.parametrize("part", ["all", "last_stage", "head"])
def test_so_it_does_with_a_start(part: str, tmp_path: Path) -> None:
    found = find_start(str(save_start(tmp_path / "start.safetensors")), tmp_path)
    plain = changed(set(RUN))
    config = replace(
        plain,
        model=found.model_for(tuple(map(str, range(plain.model.classes))), 32),
        recipe=found.recipe_for(
            RECIPES["finetune"].changed(train_part=part, lr=1 / 3, batch_size=9)
        ),
        start=found.start,
    )
    assert config_said_by(reproducing_command(config)) == config
