"""How large the gradient is, part by part: where learning arrives in a deep net and where not."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def gradient_norms(network: nn.Module) -> dict[str, float]:
    """L2 norm of the loss gradient over the parameters of each part that learns.

    Parts are the network's children by name: stem, stage1, stage2, stage3, classifier, and
    pre_logits where it has a batch norm; of a net for photos conv1, bn1, layer1 to layer4, fc. Summed in float64, where no float32 square overflows.
    """
    parts = {
        name: _norm([p.grad for p in part.parameters() if p.grad is not None])
        for name, part in network.named_children()
        if any(p.grad is not None for p in part.parameters())
    }
    # Together, so that a GPU is waited for once.
    return dict(zip(parts, torch.stack(list(parts.values())).tolist(), strict=True))


def _norm(gradients: list[Tensor]) -> Tensor:
    norms = [torch.linalg.vector_norm(g, dtype=torch.float64) for g in gradients]
    return torch.linalg.vector_norm(torch.stack(norms))
