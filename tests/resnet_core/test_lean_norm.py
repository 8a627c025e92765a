"""The lean batch norm is PyTorch's, in values, gradients and statistics."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from resnet_core.data.dataset import load_dataset
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import build_network
from resnet_core.runs.folder import RunFolder
from resnet_core.training.config import TrainConfig
from resnet_core.training.distributed import ALONE
from resnet_core.training.lean_norm import LeanBatchNorm2d, make_lean
from resnet_core.training.recipes import find_recipe
from resnet_core.training.setup import make_learner, set_up


def pair(channels: int) -> tuple[nn.BatchNorm2d, nn.BatchNorm2d]:
    """PyTorch's and ours, alike, and not at their start."""
    torch.manual_seed(3)
    theirs = nn.BatchNorm2d(channels)
    with torch.no_grad():
        assert theirs.running_mean is not None
        theirs.weight.uniform_(0.5, 1.5)
        theirs.bias.uniform_(-1, 1)
        theirs.running_mean.normal_()
    holder = nn.Sequential(copy.deepcopy(theirs))
    make_lean(holder)
    ours = holder[0]
    assert type(ours) is LeanBatchNorm2d
    return theirs, ours


def step(norm: nn.Module, x: Tensor, gradient: Tensor) -> tuple[Tensor, Tensor]:
    inputs = x.clone().requires_grad_()
    y = norm(inputs)
    y.backward(gradient)
    assert inputs.grad is not None
    return y.detach(), inputs.grad


@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (100.0, 0.1)])
@pytest.mark.parametrize("compiled", [False, True])
def test_values_gradients_and_statistics_are_pytorchs(
    mean: float, deviation: float, compiled: bool
) -> None:
    """Held against fp64, in which a mean a thousand deviations away costs no digits."""
    theirs, ours = pair(6)
    for norm in (theirs, ours):
        assert norm.running_mean is not None
        norm.running_mean += mean  # as after some steps
    exact = copy.deepcopy(theirs).double()
    x = mean + deviation * torch.randn(16, 6, 8, 8).to(memory_format=torch.channels_last)
    gradient = torch.randn(16, 6, 8, 8).to(memory_format=torch.channels_last)
    expected, to_x = step(exact, x.double(), gradient.double())
    forward = torch.compile(ours) if compiled else ours
    y, to_ours = step(forward, x, gradient)
    tolerance = 1e-5 * (1 + mean / deviation)
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=tolerance)
    torch.testing.assert_close(to_ours.double(), to_x, rtol=0, atol=tolerance * to_x.abs().max())
    for name, value in exact.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name].to(value), value, rtol=1e-3, atol=1e-5)
    for name, parameter in exact.named_parameters():
        ours_grad = dict(ours.named_parameters())[name].grad
        assert ours_grad is not None and parameter.grad is not None
        limit = tolerance * parameter.grad.abs().max().item()
        torch.testing.assert_close(ours_grad.double(), parameter.grad, rtol=0, atol=limit)


def test_bf16_is_rounded_once_each_way() -> None:
    theirs, ours = pair(6)
    x = torch.randn(16, 6, 8, 8).bfloat16().to(memory_format=torch.channels_last)
    gradient = torch.randn(16, 6, 8, 8).bfloat16()
    expected, to_x = step(theirs.double(), x.double(), gradient.double())
    y, to_ours = step(ours, x, gradient)
    assert y.dtype == to_ours.dtype == torch.bfloat16
    torch.testing.assert_close(y.double(), expected, rtol=2**-8, atol=1e-5)
    torch.testing.assert_close(to_ours.double(), to_x, rtol=2**-8, atol=1e-4)


def test_a_lean_net_is_evaluated_as_ever_and_saved_under_the_same_names() -> None:
    torch.manual_seed(0)
    usual = build_network(parse_model_name("resnet8_v1"))
    lean = copy.deepcopy(usual)
    make_lean(lean)
    assert sum(isinstance(each, LeanBatchNorm2d) for each in lean.modules()) == 7
    assert lean.state_dict().keys() == usual.state_dict().keys()
    x = torch.randn(4, 3, 32, 32)
    assert torch.equal(lean.eval()(x), usual.eval()(x))
    with torch.no_grad():
        assert torch.equal(lean.train()(x), usual.train()(x))


@pytest.mark.parametrize(
    ("compiled", "precision", "lean"),
    [("on", "bf16", 7), ("on", "fp32", 0), ("off", "bf16", 0)],
)
def test_steps_compiled_in_bf16_on_a_cpu_are_lean(
    tmp_path: Path, compiled: str, precision: str, lean: int
) -> None:
    config = TrainConfig(
        parse_model_name("resnet8_v1"), "shapes", find_recipe("taste"), data_folder="",
        device="cpu", precision=precision, compile=compiled,
    )  # fmt: skip
    setup = set_up(config, load_dataset("shapes", tmp_path), RunFolder(tmp_path), ALONE)
    network = make_learner(setup).model.network
    assert sum(isinstance(each, LeanBatchNorm2d) for each in network.modules()) == lean
