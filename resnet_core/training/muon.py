"""Muon: momentum whose direction is made orthogonal, for convolution kernels.

A kernel (out, in, k, k) is taken as a matrix (out, in * k * k); its momentum G = U S V^T is
replaced by about U V^T, so that every direction moves at the same rate. Jordan et al. 2024,
"Muon: an optimizer for hidden layers in neural networks"; on ResNets behind batch norm, kernels
are also kept at a fixed norm, so the learning rate is an angle in radians.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

# A quintic whose repeated use sends all singular values in (0, 1] into about 0.7..1.2, from the
# same source; the steepest slope at zero that still converges.
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 3


def orthogonalise(matrices: Tensor, iterations: int = ITERATIONS) -> Tensor:
    """Bring all singular values of a batch (B, rows, columns) close to 1.

    Newton-Schulz iteration: matrix products only, no decomposition.
    """
    a, b, c = QUINTIC
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if is_tall else x


class Muon(Optimizer):
    """Orthogonalised Nesterov momentum for 4-D kernels; each keeps the norm sqrt(out channels).

    Args:
        params: kernels, or groups of them.
        lr: angle, in radians, that a kernel turns by in a step.
        momentum: decay of the running sum of gradients.
    """

    def __init__(self, params: Any, lr: float, momentum: float):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for kernels in _by_shape([p for p in group["params"] if p.grad is not None]):
                self._turn(kernels, group["lr"], group["momentum"])

    def _turn(self, kernels: list[Tensor], lr: float, momentum: float) -> None:
        for kernel in kernels:
            if "momentum_buffer" not in self.state[kernel]:
                self.state[kernel]["momentum_buffer"] = torch.zeros_like(kernel)
        buffers = [self.state[kernel]["momentum_buffer"] for kernel in kernels]
        gradients = [kernel.grad for kernel in kernels if kernel.grad is not None]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        ahead = torch._foreach_add(gradients, buffers, alpha=momentum)
        # All kernels of one shape at once: the products are too small to fill a machine singly.
        turned = orthogonalise(torch.stack([direction.flatten(1) for direction in ahead]))
        norms = torch._foreach_norm(kernels)
        torch._foreach_mul_(
            kernels, [len(k) ** 0.5 / n for k, n in zip(kernels, norms, strict=True)]
        )
        torch._foreach_add_(
            kernels, [t.view_as(k) for t, k in zip(turned, kernels, strict=True)], alpha=-lr
        )


def _by_shape(kernels: list[Tensor]) -> list[list[Tensor]]:
    groups: dict[torch.Size, list[Tensor]] = {}
    for kernel in kernels:
        groups.setdefault(kernel.shape, []).append(kernel)
    return list(groups.values())
