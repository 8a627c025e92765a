"""Checkpoints of other nets, of parts of nets, and with numbers no net has: each refused with its reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from resnet_core.doctor.diagnose import diagnose
from resnet_core.errors import LabError
from tests.resnet_core.doctor.ports import Port, PreActPort, save
from tests.resnet_core.doctor.refusal import refuse

STATE = Port(1).state_dict()


def without(*keys: str) -> dict[str, Tensor]:
    return {key: tensor for key, tensor in STATE.items() if key not in keys}


def changed(key: str, change: Callable[[Tensor], Any]) -> dict[str, Tensor]:
    tensor = STATE[key].clone()
    answer = change(tensor)
    return STATE | {key: tensor if answer is None else answer}


def put(value: float) -> Callable[[Tensor], None]:
    def change(tensor: Tensor) -> None:
        tensor.view(-1)[3] = value

    return change


def named_as(blocks: tuple[int, ...], convolutions: int, stem: tuple[int, ...], **extra: Tensor) -> dict[str, Tensor]:  # fmt: skip
    """torchvision's names; of the shapes only those that tell nets apart."""
    state = {"conv1.weight": torch.zeros(stem), "bn1.weight": torch.zeros(stem[0])}
    for stage, length in enumerate(blocks, start=1):
        for block in range(length):
            for number in range(1, convolutions + 1):
                state[f"layer{stage}.{block}.conv{number}.weight"] = torch.zeros(64, 64, 1, 1)
    return state | {"fc.weight": torch.zeros(1000, 8), "fc.bias": torch.zeros(1000)} | extra


def post_activation_bottlenecks() -> dict[str, Tensor]:
    state = PreActPort(1).state_dict()
    return state | {f"layer{s}.0.bn1.weight": torch.ones(w) for s, w in ((1, 16), (2, 32), (3, 64))}


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (without("layer2.0.conv2.weight"), r"1 is missing \(stage2\.0\.conv2\.weight\)"),
        (without(*[k for k in STATE if ".bn2." in k and "num_b" not in k]), "12 are missing .* and 9 more"),
        (without(*[k for k in STATE if k.startswith("layer3")]), "2 stages from 16 channels"),
        (without("linear.weight", "linear.bias"), "no last layer"),
        (STATE | {"layer1.0.se.weight": torch.zeros(3)}, r"1 is unexpected \(layer1\.0\.se\.weight\)"),
        (STATE | {"fc.bias": torch.zeros(10)}, r"both linear\.bias and fc\.bias|both fc\.bias and"),
        (changed("linear.bias", lambda t: t[:9]), r"1 is of another shape \(linear\.bias \(9,\) and not \(10,\)"),
        (changed("layer1.0.conv1.weight", lambda t: t.reshape(-1)), "1 is of another shape"),
        (changed("conv1.weight", put(float("nan"))), r"1 of the 432 numbers of conv1\.weight are NaN"),
        (changed("bn1.running_mean", put(float("inf"))), "NaN or infinite"),
        (changed("bn1.weight", lambda t: t.double() * 1e300), "NaN or infinite"),
        (changed("bn1.running_var", put(-1.0)), "negative variances"),
        (changed("conv1.weight", lambda t: t.to(torch.int8)), "int8"),
        (changed("conv1.weight", lambda t: t.to(torch.complex64)), "asks for|not a plain"),
        (changed("conv1.weight", lambda t: t.to_sparse()), "asks for|not a plain"),
        (Port(1, width=32).state_dict(), "begins with 32 channels"),
        (named_as((2, 2, 2, 2), 2, (64, 3, 3, 3)), "ResNet-18 with a 3x3 stem"),
        ({k.replace("fc.", "linear."): t for k, t in named_as((2, 2, 2, 2), 2, (64, 3, 3, 3)).items()}, "4 stages from 64"),
        (post_activation_bottlenecks(), r"after their sum \(v1\)"),
        (PreActPort(1, shortcut="downsample").state_dict(), "projects a block's raw input"),
        (changed("layer2.0.bn1.weight", lambda t: t[:16]), "pre-activation blocks of two"),
        (Port(1, classes=1).state_dict(), "at least 2 classes"),
    ],
)  # fmt: skip
def test_nets_that_are_not_wholly_there_are_refused(
    state: dict[str, Tensor], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = save(state, tmp_path / "a.pth")
    with pytest.raises(LabError, match=reason):
        diagnose(path)
    refuse(path, capsys)
