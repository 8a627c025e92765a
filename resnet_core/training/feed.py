"""What goes into a step: pictures through the whole net, or features of them that were computed once.

Where the first parts of a net are frozen, a picture always comes out of them the same. Their
outputs are kept in memory for every picture, and for its mirror image where the recipe flips, and
the steps work on what learns alone. Nothing is stored on disk: a resumed run computes them again,
in less time than an epoch of the whole net takes, and nothing can be stale.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from resnet_core.data.augment import AUGMENTATIONS, is_mirrored
from resnet_core.data.dataset import Split
from resnet_core.models.network import PixelModel
from resnet_core.models.parts import Part, Tail
from resnet_core.training.hardware import Hardware
from resnet_core.training.recipes import Recipe
from resnet_core.training.transfer import split_parts

VARIANTS = {"none": 1, "flip": 2}
"""By augmentation, how many pictures it makes of one; others make too many to keep."""
MOST_CACHED_BYTES = 2**30
FEATURE_BATCH = 64


class PictureFeed:
    """Augmented pictures for the whole net."""

    def __init__(self, model: PixelModel, recipe: Recipe, train: Split, validation: Split):
        self._model, self._train = model, train
        self._augment = AUGMENTATIONS[recipe.augmentation]
        self.network: nn.Module = model.network
        """From what `take` gives to logits."""
        self.examined: nn.Module = model
        """From the pictures of `validation` to logits."""
        self.validation = validation

    def prepare(self) -> None:
        """What is to be done once, before the first step: nothing."""

    def take(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        """The inputs of a step on the training pictures with these indices."""
        return self._augment(self._model.normalise(self._train.images[chosen]), generator)


class FeatureFeed(PictureFeed):
    """The outputs of the frozen parts, for the parts that learn."""

    def __init__(
        self,
        model: PixelModel,
        recipe: Recipe,
        train: Split,
        validation: Split,
        hardware: Hardware,
    ):
        super().__init__(model, recipe, train, validation)
        self._frozen, learning = split_parts(model, recipe)
        self._variants, self._hardware = VARIANTS[recipe.augmentation], hardware
        self.network = self.examined = Tail(learning)

    def prepare(self) -> None:
        """Compute all features, those of mirrored pictures too where they will be asked for."""
        images = self._train.images
        views = [images, images.flip(2)][: self._variants]
        self._features = torch.stack([self._compute(view) for view in views])
        if self.validation:
            self.validation = Split(self._compute(self.validation.images), self.validation.labels)

    def take(self, chosen: Tensor, generator: torch.Generator) -> Tensor:
        # The same draws as `flip` makes, so that both feeds show the same pictures.
        view = is_mirrored(len(chosen), generator).long() if self._variants > 1 else 0
        features = self._features[view, chosen]
        is_map = features.dim() == 4
        return features.contiguous(memory_format=torch.channels_last) if is_map else features

    @torch.no_grad()
    def _compute(self, images: Tensor) -> Tensor:
        """uint8 (N, H, W, 3) → float32 (N, …)."""
        with self._hardware.autocast():
            batches = [
                _run(self._frozen, self._model.normalise(batch)).float()
                for batch in torch.split(images, FEATURE_BATCH)
            ]
        return torch.cat(batches)


def _run(parts: Sequence[Part], x: Tensor) -> Tensor:
    for part in parts:
        x = part(x)
    return x


def make_feed(
    model: PixelModel, recipe: Recipe, train: Split, validation: Split, hardware: Hardware
) -> PictureFeed:
    """Features where parts are frozen, few pictures are made of one, and they fit into memory."""
    if can_cache(model, recipe, len(train) + len(validation)):
        return FeatureFeed(model, recipe, train, validation, hardware)
    return PictureFeed(model, recipe, train, validation)


def can_cache(model: PixelModel, recipe: Recipe, pictures: int) -> bool:
    """Whether a run keeps what its frozen parts make of the pictures."""
    frozen, _ = split_parts(model, recipe)
    if not frozen or recipe.augmentation not in VARIANTS:
        return False
    return (
        VARIANTS[recipe.augmentation] * pictures * _feature_bytes(model, frozen)
        <= MOST_CACHED_BYTES
    )


@torch.no_grad()
def _feature_bytes(model: PixelModel, frozen: Sequence[Part]) -> int:
    """Bytes of one picture's features, found by sending an empty one through."""
    size = model.config.input_size
    device = next(model.parameters()).device
    features = _run(frozen, torch.zeros(1, 3, size, size, device=device))
    return features.numel() * features.element_size()
