"""The ways ports normalise pixels, which no weight tells: by name, or as mean and deviation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from resnet_core.data.dataset import Split, channel_statistics, pixel_mean
from resnet_core.doctor.names import FIXED, MEASURED, NORMALISATION_NAMES, STORED
from resnet_core.errors import ConfigError, ModelError

MEASURES: dict[str, Callable[[Split], tuple[Tensor, Tensor]]] = dict(
    zip(MEASURED, (channel_statistics, pixel_mean), strict=True)
)


@dataclass(frozen=True)
class Normalisation:
    """(pixel - mean) / std, per channel (3,) or per pixel (H, W, 3), in 0..255."""

    name: str
    mean: Tensor
    std: Tensor


def normalisation_named(text: str, train: Split | None) -> Normalisation:
    """A normalisation as a person types it.

    Args:
        text: one of the known names, or numbers such as `0.5,0.5,0.5/0.25,0.25,0.25`: mean and
            standard deviation of red, green and blue in 0..1, as torchvision takes them.
        train: the training images, which some are measured on.

    Raises:
        ConfigError: no such name, numbers that make no sense, or images are needed.
    """
    if text in FIXED:
        return _of_numbers(text, *FIXED[text])
    if text in MEASURES:
        if train is None:
            raise ConfigError(f"Normalisation {text} is measured on images: name them with --data.")
        return Normalisation(text, *MEASURES[text](train))
    try:
        mean, std = (tuple(float(word) for word in part.split(",")) for part in text.split("/"))
    except ValueError:
        mean, std = (), ()
    sensible = len(mean) == len(std) == 3 and all(0 < s <= 1 for s in std)
    if not sensible or not all(0 <= m <= 1 for m in mean):
        raise ConfigError(
            f"There is no normalisation '{text}': choose one of {', '.join(NORMALISATION_NAMES)}, or "
            "give mean and deviation in 0..1 such as 0.5,0.5,0.5/0.25,0.25,0.25."
        )
    return _of_numbers(text, mean, std)


def stored_normalisation(mean: Tensor, inverse_std: Tensor, name: str, size: int) -> Normalisation:
    """What a file of this kit holds.

    Raises:
        ModelError: it makes no sense for pictures of `size` pixels.
    """
    both = torch.stack([mean, inverse_std]) if mean.shape == inverse_std.shape else torch.empty(0)
    fits = tuple(mean.shape) in ((3,), (size, size, 3)) and both.is_floating_point()
    if not fits or not both.numel() or not bool(torch.isfinite(both).all() & (both[1] > 0).all()):
        raise ModelError(f"{name} holds a normalisation that makes no sense: the file is damaged.")
    return Normalisation(STORED, mean.float(), 1.0 / inverse_std.float())


def usual_normalisations(data: str, train: Split) -> list[Normalisation]:
    """Those to try on a data set, each once."""
    # CIFAR-10's own statistics are among the fixed ones.
    names = [n for n in NORMALISATION_NAMES if (n, data) != (MEASURED[0], "cifar10")]
    return [normalisation_named(name, train) for name in names]


def _of_numbers(name: str, mean: tuple[float, ...], std: tuple[float, ...]) -> Normalisation:
    return Normalisation(name, 255 * torch.tensor(mean), 255 * torch.tensor(std))
