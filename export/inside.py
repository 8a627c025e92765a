"""Inside an exported net: which places of a picture speak for a class, and what each stage makes.

Class activation maps (Zhou et al. 2016, arXiv 1512.04150): where a net ends in average pooling
and one linear layer, a logit is a sum over places, so what each place adds is exact, no estimate.
The graph is opened in memory with more outputs; the file stays as it is. No torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from export.graph_parts import GraphParts, find_parts, refuse
from export.session import OnnxSession, open_bytes

# Two ways to add the same fp32 numbers: what differs by more was not the sum that we think.
MOST_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Stage:
    """What one part of the net makes of the picture."""

    title: str
    maps: NDArray[np.float32]
    """(channels, h, w)."""

    def liveliest(self, count: int) -> list[int]:
        """The channels that vary most from place to place, most first."""
        spread = self.maps.std(axis=(1, 2))
        return [int(channel) for channel in np.argsort(-spread, kind="stable")[:count]]


@dataclass(frozen=True)
class Inside:
    """One picture, seen from inside one net."""

    class_names: tuple[str, ...]
    logits: NDArray[np.float32]
    """(classes,)."""
    maps: NDArray[np.float32]
    """What each place adds to each logit, (classes, h, w): its sum and the bias are the logit."""
    bias: NDArray[np.float32]
    """(classes,)."""
    stages: tuple[Stage, ...]

    def ranked(self) -> list[str]:
        """Class names, the likeliest first."""
        return [self.class_names[at] for at in np.argsort(-self.logits, kind="stable")]


class InsideModel:
    """An exported model, opened so that its inner tensors come out too.

    Raises:
        ModelError: the file is damaged, or its net is not of the kind that can be looked into.
    """

    def __init__(self, path: Path):
        # Opened as it is first: that refuses damaged files, and weights that lie elsewhere.
        self.facts = OnnxSession(path, "cpu").facts
        self.path = path
        model = onnx.load(path, load_external_data=False)
        self._parts = find_parts(model, path)
        self._names = _expose(model, self._parts)
        self._session = open_bytes(model.SerializeToString(), path)

    def look(self, seen: NDArray[np.uint8]) -> Inside:
        """Run one picture.

        Args:
            seen: the pixels that the net sees, (size, size, 3).

        Raises:
            ModelError: its logits are not the sums over places that the graph promised.
        """
        found = self._session.run(["logits", *self._names], {"image": seen[None]})
        logits, tensors = found[0][0], dict(zip(self._names, found[1:], strict=True))
        features = tensors[self._parts.features]
        if features.ndim != 4:
            raise refuse(self.path)
        maps = _activation_maps(features[0], self._parts.weights)
        rebuilt = maps.sum(axis=(1, 2)) + self._parts.bias
        if not np.allclose(rebuilt, logits, rtol=MOST_DIFFERENCE, atol=MOST_DIFFERENCE):
            raise refuse(self.path)
        stages = tuple(Stage(title, tensors[name][0]) for title, name in self._parts.stages)
        return Inside(self.facts.class_names, logits, maps, self._parts.bias, stages)


def open_inside(path: Path) -> InsideModel:
    """The model, opened once and kept; a file that changed is opened anew."""
    return _open_once(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _open_once(path: Path, _changed_at_ns: int) -> InsideModel:
    return InsideModel(path)


def _activation_maps(
    features: NDArray[np.float32], weights: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(channels, h, w) and (classes, channels) → (classes, h, w), each place its share of the mean."""
    places = features.shape[1] * features.shape[2]
    return np.tensordot(weights, features, axes=1) / np.float32(places)


def _expose(model: onnx.ModelProto, parts: GraphParts) -> list[str]:
    """Make inner tensors outputs of the graph; gives their names, each once."""
    names = list(dict.fromkeys([parts.features, *(name for _, name in parts.stages)]))
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names
    )
    return names
