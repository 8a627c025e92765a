"""What the experiment measures. No torch: the command lists it."""

from __future__ import annotations

from dataclasses import dataclass

from resnet_core.training.recipes import find_recipe


@dataclass(frozen=True)
class Settings:
    """What is measured."""

    model: str = "resnet20_v1"
    """The net, for small pictures."""
    seeds: int = 3
    """Repetitions: each draws other pictures and starts at other weights."""
    start_images: int = 30_000
    """Training images of the six known classes together."""
    start_epochs: float = 5
    """Passes over them, by the recipe `fast`."""
    epochs: float = find_recipe("finetune").epochs
    """Passes over the few pictures when fine-tuning."""
    scratch_epochs: float = 100
    """Passes over them from random weights, by the recipe `fast`."""
