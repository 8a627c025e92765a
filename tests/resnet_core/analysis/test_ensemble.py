"""Ensembles against answers averaged by hand."""

from __future__ import annotations

from math import comb

import pytest
import torch

from resnet_core.analysis.ensemble import (
    mean_error_percent,
    pick_greedily,
    probabilities,
    score_subsets,
)
from resnet_core.analysis.landscape import loss_and_error

LABELS = torch.tensor([0, 1, 0, 1])
# Each is wrong once, on another image, and not sure of it; any two are right everywhere but there.
FIRST = torch.tensor([[0.4, 0.6], [0.1, 0.9], [0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)
SECOND = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)
GUESS = torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)


def test_an_ensemble_of_one_is_the_model(make_model, pictures) -> None:
    model = make_model("resnet_v1", 8)
    answers = probabilities(model, pictures)
    assert answers.sum(1) == pytest.approx(torch.ones(len(pictures)))
    assert mean_error_percent([answers], pictures.labels) == pytest.approx(
        loss_and_error(model, pictures)[1]
    )


def test_two_that_are_wrong_in_different_places_are_right_together() -> None:
    rows = list(score_subsets(["a", "b", "c"], [FIRST, SECOND, GUESS], LABELS, seed=0))
    found = {row.members: row.error_percent for row in rows}
    assert len(rows) == 7
    assert found[("a",)] == found[("b",)] == 25 and found[("c",)] == 100
    assert found[("a", "b")] == 0


def test_members_are_picked_on_validation_images_alone() -> None:
    # On the test images the guess is right: that must not be looked at.
    rows = list(
        pick_greedily(
            ["guess", "a", "b"], [GUESS, FIRST, SECOND], LABELS, [1 - GUESS, FIRST, SECOND], LABELS
        )
    )
    assert [row.members[-1] for row in rows] == ["a", "b", "guess"]
    assert [row.validation_error_percent for row in rows[:2]] == [25, 0]
    assert rows[0].error_percent == 25


def test_of_many_members_some_subsets_are_drawn_the_same_for_the_same_seed() -> None:
    names = [f"net{number}" for number in range(10)]
    answers = [FIRST] * 10
    rows = [list(score_subsets(names, answers, LABELS, seed=3)) for _ in range(2)]
    assert rows[0] == rows[1]
    for size in range(1, 11):
        drawn = [row.members for row in rows[0] if len(row.members) == size]
        assert len(set(drawn)) == len(drawn) <= min(comb(10, size), 40)
        assert drawn
