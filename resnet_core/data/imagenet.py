"""ImageNet's thousand classes (Russakovsky et al. 2015, arXiv 1409.0575), by torchvision's names.

Only the names: its pictures are lent for research alone, by asking, and are no data set here.
"""

from __future__ import annotations

NAME = "imagenet"
CLASSES = 1000


def class_names() -> tuple[str, ...]:
    """The names in the order in which torchvision's, timm's and most other nets tell them apart."""
    from torchvision.models import ResNet18_Weights

    return tuple(ResNet18_Weights.DEFAULT.meta["categories"])
