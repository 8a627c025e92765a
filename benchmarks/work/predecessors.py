"""AlexNet and VGG with torchvision's published weights: what came before, answering the same photo.

Facts are torchvision's own (`torchvision.models.get_model_weights`); the file comes through the
same checked download as the weights of this kit's nets.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import torch
import torchvision.models
from numpy.typing import NDArray
from torch import nn

from benchmarks.work.nets import COMPARATORS, build
from resnet_core.data.imagenet import class_names
from resnet_core.doctor.normalisation import normalisation_named
from resnet_core.errors import ModelError
from resnet_core.pretrained.download import Source

CROP_SHARE = 224 / 256
"""The shorter side is scaled to 256 pixels and 224 are cut from the middle."""
HASH_DIGITS = 8


@dataclass(frozen=True)
class Published:
    """A file of weights of a net of others, and what torchvision says of it."""

    net: str
    source: Source
    top1_error_percent: float
    """One crop of ImageNet's validation images."""

    @property
    def file_name(self) -> str:
        return urlsplit(self.source.url).path.rsplit("/", 1)[-1]


def published(net: str, server: str = "") -> Published:
    """torchvision's newest weights of one of `COMPARATORS`.

    Args:
        server: another one that has the same files; empty for torchvision's own.
    """
    weights = torchvision.models.get_model_weights(net).DEFAULT
    file_name = weights.url.rsplit("/", 1)[-1]
    sha256_start = file_name.removesuffix(".pth").rsplit("-", 1)[-1][:HASH_DIGITS]
    size_bytes = round(weights.meta["_file_size"] * 2**20)
    url = f"{server.rstrip('/')}/{file_name}" if server else weights.url
    accuracy = weights.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    return Published(net, Source(url, size_bytes, sha256_start), round(100 - accuracy, 3))


def load(net: str, file: Path) -> nn.Module:
    """The net with the weights of a file that was checked before.

    Raises:
        ModelError: they are not this net's.
    """
    network = build(net)
    try:
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
    except Exception as error:  # of pickle, zip and torch, without a common base
        said = str(error).splitlines()[0]
        raise ModelError(f"{file} holds no weights of {COMPARATORS[net].title} ({said}).") from None
    return network.eval()


@torch.inference_mode()
def answer(network: nn.Module, seen: NDArray[np.uint8]) -> list[tuple[str, float]]:
    """ImageNet's classes with probabilities, most probable first.

    Args:
        seen: the pixels such nets are tested on, (224, 224, 3): `CROP_SHARE` of the photo.
    """
    normalisation = normalisation_named("imagenet", None)
    scaled = (torch.tensor(seen).float() - normalisation.mean) / normalisation.std
    probabilities = network(scaled.permute(2, 0, 1)[None]).softmax(1)[0]
    order = probabilities.argsort(descending=True)
    names = class_names()
    return [(names[i], float(probabilities[i])) for i in order.tolist()]
