"""Muon: momentum whose direction is made orthogonal, for convolution kernels.

A kernel (out, in, k, k) is taken as a matrix (out, in * k * k); its momentum G = U S V^T is
replaced by about U V^T, so that every direction moves at the same rate. Jordan et al. 2024,
"Muon: an optimizer for hidden layers in neural networks"; on ResNets behind batch norm, kernels
are also kept at a fixed norm, so the learning rate is an angle in radians.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if is_tall else matrices
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    x = _iterated(x @ x.mT, iterations) @ x
    return x.mT if is_tall else x


def _iterated(gram: Tensor, iterations: int) -> Tensor:
    """What the iteration multiplies X by in all, found from G = X X^T alone.

    A step takes X to P X, where P = a I + b G + c G G, and so G to P G P; most kernels have nine
    times as many columns as rows, so G is by far the smaller to work on. In as few products as
    there are, without P itself: a GPU waits for each.
    """
    a, b, c = QUINTIC
    whole = torch.eye(gram.shape[1], device=gram.device, dtype=gram.dtype).expand_as(gram)
    for iteration in range(iterations):
        rest = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)  # P - a I
        whole = torch.baddbmm(whole, rest, whole, beta=a)
        if iteration + 1 < iterations:
            half = torch.baddbmm(gram, rest, gram, beta=a)
            gram = torch.baddbmm(half, half, rest, beta=a)
    return whole


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
            kernels = [p for p in group["params"] if p.grad is not None]
            if not kernels:
                continue
            ahead = self._look_ahead(kernels, group["momentum"])
            for places in _by_shape(kernels):
                _turn([kernels[i] for i in places], [ahead[i] for i in places], group["lr"])

    def _look_ahead(self, kernels: list[Tensor], momentum: float) -> Sequence[Tensor]:
        """Update the running sums; the gradients as Nesterov has them."""
        for kernel in kernels:
            if "momentum_buffer" not in self.state[kernel]:
                self.state[kernel]["momentum_buffer"] = torch.zeros_like(kernel)
        buffers = [self.state[kernel]["momentum_buffer"] for kernel in kernels]
        gradients = [kernel.grad for kernel in kernels if kernel.grad is not None]
        torch._foreach_mul_(buffers, momentum)
        torch._foreach_add_(buffers, gradients)
        return torch._foreach_add(gradients, buffers, alpha=momentum)


def _turn(kernels: list[Tensor], directions: list[Tensor], lr: float | Tensor) -> None:
    """Bring kernels of one shape to their norm and move them, all at once.

    Singly the products are too small to fill a machine. The rate may be a tensor, which a GPU
    reads when it comes to it.
    """
    turned = orthogonalise(_stack(directions))
    matrices = _stack(kernels)
    scale = len(kernels[0]) ** 0.5 / matrices.flatten(1).norm(dim=1)
    moved = matrices * scale[:, None, None] - lr * turned
    out, channels, height, width = kernels[0].shape
    shaped = moved.view(-1, out, height, width, channels).permute(0, 1, 4, 2, 3)
    torch._foreach_copy_(kernels, list(shaped.unbind(0)))


def _stack(kernels: list[Tensor]) -> Tensor:
    """(out, in, k, k) each → (B, out, k * k * in): the order in which channels-last kernels lie.

    The order of columns changes nothing: orthogonalising commutes with it.
    """
    return torch.stack([kernel.permute(0, 2, 3, 1).flatten(1) for kernel in kernels])


def _by_shape(kernels: list[Tensor]) -> list[list[int]]:
    """The places of kernels that have one shape."""
    groups: dict[torch.Size, list[int]] = {}
    for place, kernel in enumerate(kernels):
        groups.setdefault(kernel.shape, []).append(place)
    return list(groups.values())
