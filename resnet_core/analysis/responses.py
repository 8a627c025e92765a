"""How strongly each layer responds: the standard deviation of what it puts out.

He et al. 2015 (arXiv 1512.03385 §4.2 and Fig. 7) measure every 3x3 layer after batch norm, before
the nonlinearity or the addition: there, residual nets respond less than plain ones, and the less
the deeper they are. Of a residual block's two layers only the second is what is added; the first
feeds it. A v2 bottleneck has its batch norms before its layers: measured is the one behind the 3x3
layer, inside the branch, and the 1x1 layer that it feeds is what is added.

With batch norm the deviation is mostly the norm's own learned scale, so whether the recipe lets
that decay matters: the paper's does (1e-4 on everything), `fast` does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from resnet_core.analysis.rows import Row
from resnet_core.data.dataset import Split
from resnet_core.models.network import PixelModel

CHUNK_IMAGES = 250


@dataclass(frozen=True)
class Responses(Row):
    """Standard deviations of one trained net's 3x3 layers."""

    kind = "responses"
    model: str
    family: str
    depth: int
    layers: tuple[str, ...]
    """Name of each 3x3 convolution, from input to output."""
    stds: tuple[float, ...]
    """Standard deviation over images, channels and places of what its batch norm puts out."""


def normalised_layers(network: nn.Module) -> list[tuple[str, nn.BatchNorm2d]]:
    """Each 3x3 convolution by name, with the batch norm that its output passes next."""
    found: list[tuple[str, nn.BatchNorm2d]] = []
    waiting: str | None = None
    # Modules are registered in the order in which a picture passes them.
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            waiting = name
        elif isinstance(module, nn.BatchNorm2d) and waiting is not None:
            found.append((waiting, module))
            waiting = None
    return found


@torch.no_grad()
def measure_responses(model: PixelModel, split: Split) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Names of the 3x3 layers and the standard deviation of each one's output after batch norm.

    In evaluation mode, over all images of the split.
    """
    model.eval()
    layers = normalised_layers(model.network)
    sums = torch.zeros(len(layers), 3, dtype=torch.float64)

    def listen(place: int) -> torch.utils.hooks.RemovableHandle:
        def add(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
            # At once: the ReLU that follows writes over it.
            values = output.double()
            sums[place] += torch.stack(
                [values.sum(), values.square().sum(), values.new_tensor(values.numel())]
            ).cpu()

        return layers[place][1].register_forward_hook(add)

    handles = [listen(place) for place in range(len(layers))]
    try:
        for images in torch.split(split.images, CHUNK_IMAGES):
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    mean = sums[:, 0] / sums[:, 2]
    variance = (sums[:, 1] / sums[:, 2] - mean.square()).clamp(min=0)
    return tuple(name for name, _ in layers), tuple(variance.sqrt().tolist())
