"""Batch norm for a step that is compiled for a CPU: each element is multiplied and added to, once.

What the compiler makes of PyTorch's own batch norm takes a division and a square root for every
element, and counts through its sums. Here a channel's scale and shift are worked out once, forward
and backward, and elements see nothing else (Ioffe and Szegedy 2015, arXiv 1502.03167, Alg. 1).
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn

COPIES = 16  # a power of two: dividing by it changes no digit


class LeanBatchNorm2d(nn.BatchNorm2d):
    """A batch norm whose training step compiles to less work; the same everywhere else."""

    def forward(self, x: Tensor) -> Tensor:
        if not (self.training and torch.is_grad_enabled()):
            return super().forward(x)
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        around = self.running_mean.clone()
        y, mean, variance = _Normalise.apply(x, self.weight, self.bias, around, self.eps)
        with torch.no_grad():
            values = _values(x)
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (values / (values - 1)), self.momentum)
        return cast(Tensor, y)


def make_lean(network: nn.Module) -> None:
    """Turn a net's batch norms into lean ones: same parameters, same statistics, same names."""
    for module in network.modules():
        is_usual = type(module) is nn.BatchNorm2d and module.affine and module.track_running_stats
        if is_usual and module.momentum is not None:
            module.__class__ = LeanBatchNorm2d


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias, and the batch's mean and variance.

    Sums are in fp32 whatever the input; they are taken around a guess of the mean, so that a
    variance far smaller than the mean's square keeps its digits.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, around: Tensor, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        away = x.float() - _over(around)
        values = _values(x)
        offset = _total(away) / values
        variance = (_total(away * away) / values - offset * offset).clamp_min(0)
        mean, inverse = around + offset, torch.rsqrt(variance + eps)
        scale = _once(weight * inverse)
        shift = _once(bias - mean * weight * inverse)
        ctx.save_for_backward(x, mean, inverse, scale)
        ctx.mark_non_differentiable(mean, variance)
        return (x.float() * _over(scale) + _over(shift)).to(x.dtype), mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, inverse, scale = ctx.saved_tensors
        values, gradient = _values(x), gradients[0].float()
        to_bias = _total(gradient)
        to_weight = _total(gradient * (x.float() - _over(mean))) * inverse
        of_x = _once(-scale * inverse * to_weight / values)
        rest = _once(scale * (inverse * to_weight * mean - to_bias) / values)
        to_x = gradient * _over(scale) + x.float() * _over(of_x) + _over(rest)
        return to_x.to(x.dtype), to_weight, to_bias, None, None


def _values(x: Tensor) -> int:
    """How many values of (N, C, H, W) a channel has."""
    return x.shape[0] * x.shape[2] * x.shape[3]


def _total(x: Tensor) -> Tensor:
    """The sum of each channel, (N, C, H, W) to (C,): image by image, in short sums.

    Of one long sum the compiler keeps account in memory; short ones it adds up in registers.
    """
    return x.sum((2, 3)).sum(0)


def _over(channels: Tensor) -> Tensor:
    """(C,) as it multiplies (N, C, H, W)."""
    return channels[None, :, None, None]


def _once(channels: Tensor) -> Tensor:
    """The same numbers, as a sum of copies: the compiler stores sums, but not what leads to them.

    Whatever it does not store it works out anew for every element that uses it.
    """
    return (channels / COPIES)[:, None].expand(-1, COPIES).sum(1)
