"""Random crops, shifts and flips for a whole batch at once, on the batch's own device.

All take and return normalised floats (N, 3, H, W) and draw from the generator they are given,
so that a run repeats bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Augmentation = Callable[[Tensor, torch.Generator], Tensor]


def crop_and_flip(images: Tensor, generator: torch.Generator, padding: int = 4) -> Tensor:
    """Pad with zeros, crop back at a random place, mirror half of them (arXiv 1512.03385 §4.2)."""
    n, _, height, width = images.shape
    device = images.device
    top = torch.randint(2 * padding + 1, (n, 1), generator=generator, device=device)
    left = torch.randint(2 * padding + 1, (n, 1), generator=generator, device=device)
    rows = torch.arange(height, device=device) + top
    columns = _mirror_half(torch.arange(width, device=device).expand(n, width), generator) + left
    padded = F.pad(images.permute(0, 2, 3, 1), (0, 0, padding, padding, padding, padding))
    lines = torch.arange(n, device=device)[:, None] * padded.shape[1] + rows
    pixels = lines[:, :, None] * padded.shape[2] + columns[:, None, :]
    # A pixel's channels lie one behind another: half of the time that an index for each takes.
    cropped = padded.flatten(0, 2).index_select(0, pixels.flatten())
    return cropped.view(n, height, width, -1).permute(0, 3, 1, 2)


def shift_and_flip(images: Tensor, generator: torch.Generator, fraction: float = 0.1) -> Tensor:
    """Shift by up to `fraction` of each side, mirror half of them: the Keras example's way.

    Shifts are real numbers, pixels between pixels are interpolated linearly, and what moves in
    from outside repeats the nearest edge pixel (`ImageDataGenerator`, `fill_mode="nearest"`).
    """
    n, _, height, width = images.shape
    device = images.device
    # In align_corners coordinates the picture spans -1..1 over (side - 1) pixels.
    reach = 2 * fraction * torch.tensor([width / (width - 1), height / (height - 1)], device=device)
    shift = (2 * torch.rand(n, 2, generator=generator, device=device) - 1) * reach
    columns = torch.arange(width, device=device).expand(n, width)
    x = _mirror_half(columns, generator) * (2 / (width - 1)) - 1 + shift[:, :1]
    y = torch.linspace(-1, 1, height, device=device) + shift[:, 1:]
    grid = torch.stack(
        [x[:, None, :].expand(n, height, width), y[:, :, None].expand(n, height, width)], dim=-1
    )
    return F.grid_sample(images, grid, padding_mode="border", align_corners=True)


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of them."""
    mirrored = is_mirrored(len(images), generator)
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)


def is_mirrored(n: int, generator: torch.Generator) -> Tensor:
    """Which of `n` pictures to mirror, each with a chance of one half: bool (N,)."""
    return torch.rand(n, generator=generator, device=generator.device) < 0.5


def leave_alone(images: Tensor, generator: torch.Generator) -> Tensor:
    """No augmentation; stands in where a recipe wants none, so that there is one code path."""
    return images


def _mirror_half(columns: Tensor, generator: torch.Generator) -> Tensor:
    n, width = columns.shape
    return torch.where(is_mirrored(n, generator)[:, None], width - 1 - columns, columns)


AUGMENTATIONS: dict[str, Augmentation] = {
    "crop_flip": crop_and_flip,
    "shift_flip": shift_and_flip,
    "flip": flip,
    "none": leave_alone,
}
