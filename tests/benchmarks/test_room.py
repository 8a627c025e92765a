"""How many nets fit beside each other, measured in this process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.depth.room import ENDLESS_EPOCHS, _endless, best_number, throughput
from resnet_core.models.config import parse_model_name
from resnet_core.training.config import TrainConfig
from resnet_core.training.recipes import RECIPES, Recipe
from tests.resnet_core.live_runs import ROOT


def config(name: str, batch_size: int = 128, recipe: Recipe = RECIPES["taste"]) -> TrainConfig:
    return TrainConfig(
        model=parse_model_name(name), data="shapes", data_folder="unused", device="cpu",
        compile="off", recipe=recipe.changed(batch_size=batch_size),
    )  # fmt: skip


def test_as_many_nets_at_once_as_still_help() -> None:
    rates = {1: 100.0, 2: 190.0, 4: 350.0, 8: 360.0, 16: 900.0}
    assert best_number(rates.get) == 4
    assert best_number({1: 100.0, 2: 190.0}.get) == 2  # four do not fit
    assert best_number({1: 100.0, 2: 101.0}.get) == 1


def test_a_net_that_fails_counts_for_nothing() -> None:
    nets = [config("resnet8_v1"), config("resnet8_v1", batch_size=20_000)]
    works, fails = throughput(nets, seconds=1.5)
    assert works > 0 and fails == 0


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_keeps_the_best_epoch_is_measured_too(name: str) -> None:
    """Nothing is set aside while it is measured, so the last epoch is what there is."""
    endless = _endless(config("resnet8_v1", recipe=RECIPES[name].changed(train_part="all")))
    assert (endless.recipe.validation_images, endless.recipe.keep) == (0, "last")
    assert endless.recipe.epochs == ENDLESS_EPOCHS


def test_the_command_tells_what_was_reached_and_where(tmp_path: Path) -> None:
    out = tmp_path / "room.json"
    words = ["room", "--models", "resnet8_v1,plain8", "--at-once", "2", "--seconds", "1.5",
             "--data", "shapes", "--device", "cpu", "--json", str(out)]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    [row] = found["rows"]
    assert row["models"] == ["resnet8_v1", "plain8"] and min(row["images_per_second"]) > 0
    assert found["environment"]["device"] == "cpu"
    assert "2 at a time" in done.stdout and "resnet8_v1, plain8" in done.stdout


def test_a_number_that_makes_no_sense_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "room", "--at-once", "0", "--data", "shapes"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2 and "whole numbers from 1" in done.stderr
