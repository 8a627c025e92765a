"""Loss surfaces: known ones, directions of the right length, and weights that come back."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from resnet_core.analysis.landscape import (
    filter_normalised_direction,
    grid,
    loss_and_error,
    moved,
    surface,
)
from resnet_core.errors import ConfigError


class Bowl(nn.Module):
    """Loss: half the squared distance of its one matrix from the origin."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
        self.bias = nn.Parameter(torch.ones(2))

    def measure(self) -> tuple[float, float]:
        return 0.5 * self.weight.square().sum().item(), 12.5


def test_every_filter_of_a_direction_is_as_long_as_the_trained_one(make_model) -> None:
    network = make_model("resnet_v1", 8, "B").network
    direction = filter_normalised_direction(network, torch.Generator().manual_seed(0))
    weights = {n: p for n, p in network.named_parameters() if p.dim() > 1}
    assert direction.keys() == weights.keys() and "classifier.weight" in direction
    for name, change in direction.items():
        for drawn, trained in zip(change, weights[name], strict=True):
            assert drawn.norm().item() == pytest.approx(trained.norm().item(), rel=1e-5)


def test_the_surface_of_a_bowl_is_a_bowl() -> None:
    bowl = Bowl()
    generator = torch.Generator().manual_seed(4)
    first, second = (filter_normalised_direction(bowl, generator)["weight"] for _ in range(2))
    points = list(surface(bowl, bowl.measure, "bowl", seed=4, points=9, span=0.5))
    assert len(points) == 81
    for point in points:
        there = torch.tensor([[3.0, 4.0], [0.0, 2.0]]) + point.x * first + point.y * second
        assert point.loss == pytest.approx(0.5 * there.square().sum().item(), rel=1e-5)
    assert torch.equal(bowl.weight, torch.tensor([[3.0, 4.0], [0.0, 2.0]]))
    assert next(p.loss for p in points if (p.x, p.y) == (0, 0)) == 14.5


def test_a_finer_grid_goes_on_where_a_coarser_one_ended() -> None:
    coarse, fine = grid(5, 1.0), grid(17, 1.0)
    assert fine[:25] == coarse and len(set(fine)) == len(fine) == 17 * 17
    assert (0.0, 0.0) in coarse and {x for x, _ in coarse} == {-1, -0.5, 0, 0.5, 1}
    bowl = Bowl()
    rest = surface(bowl, bowl.measure, "bowl", 0, 9, 1.0, done=set(coarse))
    assert {(p.x, p.y) for p in rest} == set(grid(9, 1.0)) - set(coarse)


@pytest.mark.parametrize(("points", "span"), [(7, 1.0), (3, 1.0), (129, 1.0), (9, 0.0)])
def test_a_grid_that_can_not_be_drawn_is_refused(points: int, span: float) -> None:
    with pytest.raises(ConfigError, match="choose 5, 9, 17, 33 or 65 points"):
        grid(points, span)


def test_weights_come_back_exactly_also_after_a_failure(make_model) -> None:
    network = make_model("plain", 8).network
    before = {name: t.clone() for name, t in network.state_dict().items()}
    direction = filter_normalised_direction(network, torch.Generator().manual_seed(0))
    with pytest.raises(ZeroDivisionError), moved(network, [(0.1, direction), (0.7, direction)]):
        assert not torch.equal(network.classifier.weight, before["classifier.weight"])
        raise ZeroDivisionError
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())


def test_loss_and_error_are_those_of_the_model(make_model, pictures) -> None:
    model = make_model("resnet_v1", 8)
    with torch.no_grad():
        logits = model(pictures.images)
    log_shares = logits - logits.logsumexp(1, keepdim=True)
    expected = -log_shares[torch.arange(len(pictures)), pictures.labels].mean().item()
    loss, error = loss_and_error(model, pictures)
    assert loss == pytest.approx(expected, rel=1e-5)
    assert error == 100 * (logits.argmax(1) != pictures.labels).sum().item() / len(pictures)
