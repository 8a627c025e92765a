"""How ports of these nets name their parameters: one row a way of naming.

A row turns a port's names into this kit's (`stem.0.weight`, `stage1.0.conv1.weight`,
`classifier.bias`), written from the ports' names alone, and says what reads a net from them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from resnet_core.doctor.padding import reorder_channels
from resnet_core.doctor.photo import read_photo_net
from resnet_core.doctor.reading import Named, Reading, read_cifar_net
from resnet_core.errors import ModelError

FEW = 3
LEAF = r"(weight|bias|running_mean|running_var|num_batches_tracked)"


@dataclass(frozen=True)
class Scheme:
    """A way of naming: patterns that match whole names, and the names they stand for here."""

    title: str
    """Whose it is."""
    renames: tuple[tuple[str, str], ...]
    read: Callable[[Named, int | None], Reading]
    mark: str = ""
    """Only files with such a name are of this scheme; empty for all."""

    def rename(self, key: str) -> str | None:
        """This kit's name for a port's; None where the scheme has none."""
        for pattern, name in self.renames:
            if match := re.fullmatch(pattern, key):
                return match.expand(name)
        return None

    def knows(self, keys: Iterable[str]) -> int:
        """How many of the names are of this scheme."""
        keys = list(keys)
        if self.mark and not any(re.fullmatch(self.mark, key) for key in keys):
            return 0
        return sum(self.rename(key) is not None for key in keys)


def _layers(shortcut: str) -> tuple[tuple[str, str], ...]:
    """The naming that most ports share: conv1, bn1, layer1.0.conv1, …, fc."""
    return (
        (r"conv1\.weight", "stem.0.weight"),
        (rf"bn1\.{LEAF}", r"stem.1.\1"),
        (rf"layer(\d)\.(\d+)\.(conv\d|bn\d)\.{LEAF}", r"stage\1.\2.\3.\4"),
        (rf"layer(\d)\.(\d+)\.{shortcut}\.(?:(\d)\.)?{LEAF}", r"stage\1.\2.shortcut.\3.\4"),
        (rf"(?:bn|norm|bn_final|final_bn|bn_last|last_bn)\.{LEAF}", r"pre_logits.0.\1"),
        (r"(?:fc|linear|classifier|head|head\.fc)\.(weight|bias)", r"classifier.\1"),
    )


SCHEMES = (
    Scheme(
        "ResNet Lab's own naming",
        ((r"((?:stem|stage\d|pre_logits|classifier)\..+)", r"\1"),),
        partial(read_cifar_net, is_own=True),
    ),
    Scheme(
        "torchvision's and timm's naming",
        ((r"((?:conv1|bn1|fc|layer\d\.\d+\.(?:conv\d|bn\d|downsample\.\d))\..+)", r"\1"),),
        read_photo_net,
        mark=r"layer4\..+",
    ),
    Scheme(
        "the naming of pytorch_resnet_cifar10 and pytorch-cifar",
        _layers("shortcut"),
        read_cifar_net,
    ),
    Scheme(
        "torchvision's naming, as CIFAR ports use it",
        _layers("downsample"),
        # Pre-activation ports that call it so project a block's raw input.
        partial(read_cifar_net, projects_raw=True),
    ),
    Scheme(
        "the naming of ResNeXt-DenseNet and of pruning ports after it",
        (
            (r"conv_1_3x3\.weight", "stem.0.weight"),
            (rf"bn_1\.{LEAF}", r"stem.1.\1"),
            (rf"stage_(\d)\.(\d+)\.(conv|bn)_a\.{LEAF}", r"stage\1.\2.\g<3>1.\4"),
            (rf"stage_(\d)\.(\d+)\.(conv|bn)_b\.{LEAF}", r"stage\1.\2.\g<3>2.\4"),
            (r"classifier\.(weight|bias)", r"classifier.\1"),
        ),
        # Its option A pads all new channels after the old.
        lambda named, image_size: read_cifar_net(reorder_channels(named), image_size),
    ),
)


def recognise(tensors: dict[str, Tensor], name: str) -> tuple[Scheme, Named]:
    """The scheme that knows most of a file's names, and the tensors by this kit's names.

    Raises:
        ModelError: no scheme knows half of them, or two names stand for one parameter.
    """
    scheme = max(SCHEMES, key=lambda scheme: scheme.knows(tensors))  # of equals the first
    if 2 * scheme.knows(tensors) < len(tensors):
        first = ", ".join(list(tensors)[:FEW])
        raise ModelError(
            f"{name} names its {len(tensors)} tensors in no way known here ({first}, …): it is "
            f"another kind of net, or needs renaming to one of {'; '.join(s.title for s in SCHEMES)}."
        )
    named: dict[str, str] = {}
    for key in tensors:
        target = (scheme.rename(key) or key).replace("..", ".")
        if target in named:
            raise ModelError(
                f"In {name} both {named[target]} and {key} stand for {target}: keep one of them."
            )
        named[target] = key
    return scheme, Named(name, {target: tensors[key] for target, key in named.items()}, named)
