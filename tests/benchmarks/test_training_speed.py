"""The textbook loop trains where this engine trains, and its time is that of work done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import textbook_loop, training_speed
from benchmarks.__main__ import main
from benchmarks.textbook_loop import Textbook, TextbookImages, textbook_apart, textbook_steps
from benchmarks.training_speed import compare_training, engine_events
from resnet_core.data.dataset import Dataset, Split
from resnet_core.events import Stepped
from resnet_core.models.config import ModelConfig, parse_model_name
from resnet_core.training import loop
from resnet_core.training.hardware import Hardware
from resnet_core.training.recipes import find_recipe

MODEL = parse_model_name("resnet8_v1")
PLAIN = Hardware(torch.device("cpu"), "fp32", compiled=False)
ELSEWHERE = torch.device("meta")
"""A device that is not the CPU and exists everywhere: it has shapes and no numbers."""


def few_images() -> Split:
    return Split(torch.zeros(32, 32, 32, 3, dtype=torch.uint8), torch.arange(32) % 10)


@pytest.fixture
def seen(monkeypatch) -> list[torch.device]:
    """The devices of the batches and weights in every step of the textbook's net."""
    devices: list[torch.device] = []
    build = textbook_loop.build_network

    def note(network: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        devices.extend([inputs[0].device, *(each.device for each in network.parameters())])

    def build_watched(model: ModelConfig) -> torch.nn.Module:
        network = build(model)
        network.register_forward_pre_hook(note)
        return network

    monkeypatch.setattr(textbook_loop, "build_network", build_watched)
    return devices


def test_the_textbooks_net_and_batches_are_on_the_device_asked_for(
    seen: list[torch.device],
) -> None:
    steps = textbook_steps(MODEL, few_images(), 8, ELSEWHERE)
    next(steps)
    assert set(seen) == {ELSEWHERE}


def test_both_are_timed_on_the_device_that_the_engine_chooses(
    seen: list[torch.device], monkeypatch
) -> None:
    """And the textbook's clock runs until its last step is done, not only queued."""
    waits: list[int] = []

    class Elsewhere(Hardware):
        def synchronise(self) -> None:
            waits.append(len(seen))

    def events(*_: Any) -> Iterator[Stepped]:
        for step in range(1_000_000):
            yield Stepped(step, 1_000_000, 1, 0.1, 2.0, 90.0, 100.0, 1.0, {})

    monkeypatch.setattr(
        training_speed, "choose_hardware", lambda *_, **__: Elsewhere(ELSEWHERE, "fp32", False)
    )
    monkeypatch.setattr(training_speed, "engine_events", events)
    here = lambda *asked: nullcontext(Textbook(*asked))  # noqa: E731
    monkeypatch.setattr(training_speed, "textbook_apart", here)
    split = few_images()
    dataset = Dataset("few", split, split, tuple("abcdefghij"))
    small = find_recipe("taste").changed(batch_size=8)
    monkeypatch.setattr(training_speed, "find_recipe", lambda _: small)
    result = compare_training(MODEL, dataset, "taste", 1, 0.01)
    assert set(seen) == {ELSEWHERE} and result["environment"]["device"] == "meta"
    before, after = waits
    assert 0 < before < after == len(seen)


def test_a_recipes_end_does_not_end_the_measurement(tmp_path: Path) -> None:
    """On a fast machine ten epochs of few images are over at once."""
    noise = Split(torch.randint(256, (32, 32, 32, 3), dtype=torch.uint8), torch.arange(32) % 10)
    dataset = Dataset("few", noise, noise, tuple("abcdefghij"))
    short = find_recipe("fast").changed(epochs=1.0, batch_size=8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_speed, "find_recipe", lambda _: short)
        patch.setattr(loop, "STEP_EVENT_EVERY_SECONDS", 0.0)
        events = engine_events(MODEL, dataset, "fast", tmp_path / "run", PLAIN)
        steps = [next(events).step for _ in range(12)]  # an epoch has three
    assert steps == list(range(1, 13))


def test_pictures_of_another_size_are_cropped_to_it() -> None:
    large = Split(torch.zeros(4, 64, 64, 3, dtype=torch.uint8), torch.arange(4))
    assert TextbookImages(large)[0][0].shape == (3, 64, 64)


@pytest.mark.parametrize(
    "words", [["training", "--seconds", "0"], ["training", "--rounds", "0"], ["app", "--rounds", "0"],
              ["vendors", "--rounds", "0"]],
)  # fmt: skip
def test_nothing_to_measure_is_said_before_anything_starts(words, capsys) -> None:
    assert main([*words, *(["--data", "shapes"] if words[0] == "training" else [])]) == 2
    assert "should be" in capsys.readouterr().err


def test_the_textbook_trains_in_a_process_of_its_own_which_ends_with_the_comparison() -> None:
    before = active_children()
    # Of an epoch's 16 steps a measurement takes fewer: a new epoch starts two workers more.
    with textbook_apart(MODEL, few_images(), 2, Hardware(torch.device("cpu"), "fp32", False)) as it:
        assert it.rate(0.01) > 0
        assert len(active_children()) == len(before) + 1
    assert active_children() == before


def test_a_textbook_that_fails_is_heard_of() -> None:
    too_few = Split(torch.zeros(4, 32, 32, 3, dtype=torch.uint8), torch.arange(4))
    hardware = Hardware(torch.device("cpu"), "fp32", False)
    with textbook_apart(MODEL, too_few, 0, hardware) as it, pytest.raises(EOFError):
        it.rate(0.01)
