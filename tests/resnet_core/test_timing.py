"""What counts as time of training: steps, by a clock that other work moves on by far too much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from resnet_core.display import describe_event
from resnet_core.events import EpochFinished, Finished, Prepared, Started, Stepped
from resnet_core.models.config import parse_model_name
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.history import read_history
from resnet_core.training import loop
from resnet_core.training.config import TrainConfig
from resnet_core.training.estimate import estimate
from resnet_core.training.feed import FeatureFeed
from resnet_core.training.new_run import create_run, extend
from resnet_core.training.recipes import RECIPES
from resnet_core.training.run import execute
from resnet_core.training.start import find_start
from tests.resnet_core.few_pictures import CLASSES, draw_few, save_start

LONG_SECONDS = 10_000.0


@pytest.fixture
def take_long(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, str], list[float]]:
    """Let a function of the loop take very long by the loop's clock; gives when it was called."""
    passed = [0.0]
    monkeypatch.setattr(loop, "monotonic", lambda: monotonic() + passed[0])

    def slow_down(owner: Any, name: str) -> list[float]:
        calls: list[float] = []
        quick = getattr(owner, name)

        def slow(*words: Any) -> Any:
            calls.append(passed[0])
            passed[0] += LONG_SECONDS
            return quick(*words)

        monkeypatch.setattr(owner, name, slow)
        return calls

    return slow_down


@pytest.fixture
def tuning(tmp_path: Path) -> TrainConfig:
    """Two epochs of a head on features that are computed once."""
    data = draw_few(tmp_path / "data")
    found = find_start(str(save_start(tmp_path / "start.safetensors")), tmp_path)
    return TrainConfig(
        model=found.model_for(CLASSES, 32),
        data=data.name,
        recipe=found.recipe_for(
            RECIPES["finetune"].changed(train_part="head", epochs=2.0, batch_size=8)
        ),
        data_folder=str(tmp_path / "data"),
        start=found.start,
        device="cpu",
    )


def test_checkpoints_within_an_epoch_are_no_time_of_training(
    tmp_path: Path, take_long: Callable[[Any, str], list[float]]
) -> None:
    checkpoints = take_long(loop, "_checkpoint")
    config = TrainConfig(
        model=parse_model_name("resnet8_v1"), data="shapes", data_folder="unused", device="cpu", compile="off",
        recipe=RECIPES["taste"].changed(epochs=0.03, batch_size=32, validation_images=100), checkpoint_seconds=0.0,
    )  # fmt: skip
    folder = create_run(config, tmp_path, tmp_path / "run")
    events = list(execute(folder))
    assert len(checkpoints) > 3  # after every step but the last, and at the end
    (epoch,) = (e for e in events if isinstance(e, EpochFinished))
    assert 0 < epoch.train_seconds < LONG_SECONDS / 10
    assert folder.summary()["train_seconds"] == epoch.train_seconds
    for step in (e for e in events if isinstance(e, Stepped)):
        assert step.images_per_second > 1 and step.eta_seconds < LONG_SECONDS / 10
    assert read_history(folder).epochs[-1].train_seconds < LONG_SECONDS / 10


def test_computing_features_is_timed_apart_and_adds_up(
    tmp_path: Path, tuning: TrainConfig, take_long: Callable[[Any, str], list[float]]
) -> None:
    preparations = take_long(FeatureFeed, "prepare")
    folder = create_run(tuning, tmp_path, tmp_path / "run")
    events = list(execute(folder))
    assert [type(event) for event in events[:2]] == [Started, Prepared]
    assert events[1].seconds == pytest.approx(LONG_SECONDS, abs=60)
    assert "10,0" in describe_event(events[1]) and " s." in describe_event(events[1])
    assert isinstance(events[-1], Finished) and "s for features" in describe_event(events[-1])
    summary = folder.summary()
    assert summary["prepare_seconds"] == events[1].seconds
    assert summary["train_seconds"] < LONG_SECONDS / 10
    assert [point.epoch for point in read_history(folder).epochs] == [1, 2]
    # A process that goes on with the run computes them again.
    _set_free(folder)
    extend(folder, 1)
    list(execute(folder))
    assert len(preparations) == 2
    assert folder.summary()["prepare_seconds"] == pytest.approx(2 * LONG_SECONDS, abs=60)


def _set_free(folder: RunFolder) -> None:
    folder.environment_file.unlink()  # this process has claimed it, and lives on


def test_an_estimate_has_the_time_for_features(
    tuning: TrainConfig, take_long: Callable[[Any, str], list[float]]
) -> None:
    take_long(FeatureFeed, "prepare")
    found = estimate(tuning)
    assert found.prepare_seconds == pytest.approx(LONG_SECONDS, abs=60)
    steps = found.epochs * found.epoch_seconds
    assert found.total_seconds - steps == pytest.approx(LONG_SECONDS, abs=60)


def test_a_net_that_learns_as_a_whole_prepares_nothing(tmp_path: Path, tuning: TrainConfig) -> None:
    recipe = tuning.recipe.changed(train_part="all", epochs=1.0)
    folder = create_run(replace(tuning, recipe=recipe), tmp_path, tmp_path / "run")
    events = list(execute(folder))
    assert not [event for event in events if isinstance(event, Prepared)]
    assert folder.summary()["prepare_seconds"] == 0 and "features" not in describe_event(events[-1])
