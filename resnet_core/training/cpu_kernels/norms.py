"""Batch norms whose statistics an operation finds, and what they keep of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn


def can_remember(norm: nn.Module) -> bool:
    """Whether a layer is a batch norm that scales, shifts, and keeps running means."""
    return (
        isinstance(norm, nn.BatchNorm2d)
        and norm.affine
        and norm.track_running_stats
        and norm.momentum is not None
    )


@torch.no_grad()
def remember(
    norms: Sequence[nn.BatchNorm2d], means: Tensor, variances: Tensor, values: int
) -> None:
    """Let each keep what it would of a batch (arXiv 1502.03167, Alg. 1).

    Args:
        means, variances: (norms, C), the latter those of the batch alone.
        values: how many a channel has.
    """
    unbiased = variances * (values / (values - 1))
    running_means = [cast(Tensor, norm.running_mean) for norm in norms]
    running_variances = [cast(Tensor, norm.running_var) for norm in norms]
    momentum = [cast(float, norm.momentum) for norm in norms]
    counts = [cast(Tensor, norm.num_batches_tracked) for norm in norms]
    torch._foreach_add_(counts, 1)
    torch._foreach_lerp_(running_means, means.unbind(), momentum)
    torch._foreach_lerp_(running_variances, unbiased.unbind(), momentum)
