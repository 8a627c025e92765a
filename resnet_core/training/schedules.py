"""Learning rates, as shares of their peak, from how far a run has come."""

from __future__ import annotations

import math

from resnet_core.training.recipes import Recipe


def lr_share_at(recipe: Recipe, progress: float) -> float:
    """The learning rate, as a share of its peak, after a share `progress` (0 to 1) of the steps."""
    if recipe.schedule == "one_cycle":
        return _one_cycle(progress, recipe.warmup_share)
    share = 1.0
    for point, following in zip(recipe.drop_points, recipe.drop_factors, strict=True):
        # Steps are whole numbers; the sliver keeps 0.405 * 200 from falling just past epoch 81.
        if progress >= point - 1e-9:
            share = following
    return share


def _one_cycle(progress: float, warmup_share: float) -> float:
    if progress < warmup_share:
        return progress / warmup_share
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup_share) / (1 - warmup_share)))
