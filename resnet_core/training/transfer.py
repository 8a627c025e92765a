"""Fine-tuning: a net that begins with another's weights, and the parts of it that stay as they are."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from resnet_core.models.network import PixelModel
from resnet_core.models.parts import Part
from resnet_core.models.saved import load_model
from resnet_core.training.recipes import Recipe

LEARNING_PARTS = {"head": 1, "last_stage": 2}
"""By a recipe's `train_part`, how many of a net's parts learn, from its end."""


def split_parts(model: PixelModel, recipe: Recipe) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """A net's parts that stay as they are, and those behind them that learn."""
    parts = model.network.parts
    frozen = len(parts) - LEARNING_PARTS.get(recipe.train_part, len(parts))
    return parts[:frozen], parts[frozen:]


def set_modes(model: PixelModel, recipe: Recipe) -> None:
    """Put what learns into training mode and the rest out of its reach.

    Batch norm in a frozen part is in evaluation mode: it normalises by the statistics it has, and
    these stay to the bit.
    """
    model.train()
    for part in split_parts(model, recipe)[0]:
        for module in part.modules:
            module.eval().requires_grad_(False)


def start_from(model: PixelModel, path: Path) -> None:
    """Give a model another's normalisation and all its weights but the head's, in place.

    Raises:
        ModelError: the file does not hold such a net.
    """
    theirs = load_model(path).model.state_dict()
    model.load_state_dict({**theirs, **_head(model)}, strict=True)


def _head(model: PixelModel) -> dict[str, Tensor]:
    own = {id(parameter) for parameter in model.network.parts[-1].parameters()}
    return {n: p.detach().clone() for n, p in model.named_parameters() if id(p) in own}
