"""Averaged nets: the mean of their probabilities answers, and its error falls with their number.

He et al. 2015 (arXiv 1512.03385 §4.1, Table 5) end with an ensemble of six.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import torch
from torch import Tensor

from resnet_core.analysis.rows import Row
from resnet_core.data.dataset import Split
from resnet_core.models.network import PixelModel

CHUNK_IMAGES = 250
ALL_SUBSETS_UP_TO = 8  # members: 255 subsets; of more, some are drawn
DRAWN_SUBSETS = 40  # of each size


@dataclass(frozen=True)
class EnsembleScore(Row):
    """Error of the mean of some members' probabilities. None is chosen: all subsets stand here."""

    kind = "subset"
    members: tuple[str, ...]
    error_percent: float


@dataclass(frozen=True)
class EnsemblePick(Row):
    """Members in the order in which each lowers the validation error most, and the test error.

    The order is chosen on the validation images alone.
    """

    kind = "pick"
    members: tuple[str, ...]
    validation_error_percent: float
    error_percent: float


@torch.no_grad()
def probabilities(model: PixelModel, split: Split) -> Tensor:
    """What the model answers, in evaluation mode: float64 (N, classes)."""
    model.eval()
    chunks = torch.split(split.images, CHUNK_IMAGES)
    return torch.cat([model(chunk).double().softmax(1) for chunk in chunks])


def mean_error_percent(answers: Sequence[Tensor], labels: Tensor) -> float:
    """Error in percent of the mean of the members' probabilities, each (N, classes)."""
    mean = torch.stack(list(answers)).mean(0)
    return 100 * (mean.argmax(1) != labels).double().mean().item()


def score_subsets(
    names: Sequence[str], answers: Iterable[Tensor], labels: Tensor, seed: int
) -> Iterator[EnsembleScore]:
    """The error of every subset of the members; of many members, of some subsets.

    Args:
        answers: what `probabilities` gave of each member. Asked for one by one: subsets are
            scored as soon as their last member has answered.
    """
    there: list[Tensor] = []
    for newest, answer in enumerate(answers):
        there.append(answer)
        for chosen in _subsets(len(names), seed):
            if chosen[-1] == newest:
                error = mean_error_percent([there[at] for at in chosen], labels)
                yield EnsembleScore(tuple(names[at] for at in chosen), error)


def pick_greedily(
    names: Sequence[str],
    validation: Sequence[Tensor],
    validation_labels: Tensor,
    test: Sequence[Tensor],
    test_labels: Tensor,
) -> Iterator[EnsemblePick]:
    """Members one by one, each the one that helps most on the validation images."""
    chosen: list[int] = []
    while len(chosen) < len(names):
        errors = {
            at: mean_error_percent([validation[i] for i in (*chosen, at)], validation_labels)
            for at in range(len(names))
            if at not in chosen
        }
        best = min(errors, key=errors.__getitem__)
        chosen.append(best)
        yield EnsemblePick(
            members=tuple(names[at] for at in chosen),
            validation_error_percent=errors[best],
            error_percent=mean_error_percent([test[at] for at in chosen], test_labels),
        )


def _subsets(members: int, seed: int) -> list[tuple[int, ...]]:
    """Subsets of each size, members in order; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    chosen: list[tuple[int, ...]] = []
    for size in range(1, members + 1):
        if members <= ALL_SUBSETS_UP_TO or size in (1, members):
            chosen += combinations(range(members), size)
            continue
        drawn = {
            tuple(sorted(torch.randperm(members, generator=generator)[:size].tolist()))
            for _ in range(DRAWN_SUBSETS)
        }
        chosen += sorted(drawn)
    return chosen
