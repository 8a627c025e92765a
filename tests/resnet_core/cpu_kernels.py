"""What tests of convolutions on tiles share: kernels, numbers in their layout, how near is near."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from resnet_core.models.blocks import PlainBlock, Style
from resnet_core.training.cpu_kernels import chain, convolution, stem
from resnet_core.training.cpu_kernels import kernels as kernels_module
from resnet_core.training.cpu_kernels.kernels import FLAGS, build, unit

ON_LINUX_AND_X86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux",
    reason="chips with such tiles are x86, and are used under Linux",
)
BF16_STEP = 2**-8
OF_VALUES = {"tiles": BF16_STEP, "vectors": 2 * BF16_STEP}
"""How near convolutions are; in vectors inputs and kernels are rounded after they are transformed."""
OF_WEIGHTS = {"tiles": 1e-5, "vectors": 2 * BF16_STEP}
"""How near gradients by the weights are; on tiles nothing is rounded on the way to them."""


@contextmanager
def kernels_in_place(multiplier: str) -> Iterator[None]:
    """Built for tiles or vectors; emulated tiles where the chip has none."""
    is_emulated = multiplier == "tiles" and unit() != "tiles"
    built = build(FLAGS["emulated tiles" if is_emulated else multiplier])
    assert built.ask_for_unit() == 0
    with pytest.MonkeyPatch.context() as patch:
        for module in (kernels_module, chain, convolution, stem):
            patch.setattr(module, "kernels", lambda: built)
        yield


def laid_out(*shape: int) -> Tensor:
    numbers = torch.randn(*shape).bfloat16()
    return numbers.contiguous(memory_format=torch.channels_last)


def distance(ours: Tensor, exact: Tensor) -> float:
    """The largest, in shares of the largest value."""
    return float((ours.double() - exact).detach().abs().max() / exact.detach().abs().max())


def stage_of(
    kind: type[PlainBlock], blocks: int, channels: int, from_channels: int | None = None
) -> nn.Sequential:
    """Not at its start: batch norms scale and shift, and have seen other means.

    Args:
        from_channels: of what goes into a single block that halves the sides.
    """
    torch.manual_seed(5)
    before, stride = (channels, 1) if from_channels is None else (from_channels, 2)
    stage = nn.Sequential(*(kind(Style(), before, channels, stride) for _ in range(blocks)))
    for module in stage.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            assert module.running_mean is not None
            module.running_mean.normal_(0, 0.1)
    return stage.to(memory_format=torch.channels_last)
