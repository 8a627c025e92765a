"""One photo before AlexNet, VGG and the ResNets: what each says, beside its depth and published error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.work.nets import COMPARATORS
from benchmarks.work.predecessors import CROP_SHARE, Published, answer, load, published
from benchmarks.work.rows import INPUT_SIZE
from export.catalogue import list_exported
from export.classifier import classify
from resnet_core.data import imagenet
from resnet_core.events import Event
from resnet_core.pictures import read_input
from resnet_core.pretrained.download import by_hand, fetch_file
from resnet_core.training.config import default_runs_folder
from resnet_core.zoo import imported_entries

TOP = 3
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class Said:
    """One net's answer; or why there is none."""

    net: str
    published_top1_error_percent: float | None
    classes: tuple[tuple[str, float], ...] = ()
    """The most probable classes with their probabilities."""
    missing: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def ask_predecessors(photo: Path, weights_folder: Path, server: str = "") -> Iterator[Said]:
    """AlexNet, VGG-16 and VGG-19, those whose weights lie in the folder.

    Raises:
        PictureError: the photo can't be read.
        ModelError: a file of weights is not what it should be.
    """
    seen = read_input(photo, INPUT_SIZE, CROP_SHARE)
    for net in COMPARATORS:
        theirs = published(net, server)
        file = weights_folder / theirs.file_name
        if not file.is_file():
            yield Said(net, theirs.top1_error_percent, missing=_how_to_get(theirs, file))
            continue
        for _ in fetch_file(theirs.source, file, TIMEOUT_SECONDS):  # it is there: only its hash
            pass
        classes = answer(load(net, file), seen)[:TOP]
        yield Said(net, theirs.top1_error_percent, tuple(classes))


def ask_residual_nets(photo: Path) -> Iterator[Said]:
    """Every net with ImageNet's classes that was fetched or imported, as `classify` answers."""
    cards = {entry.name: entry.card for entry in imported_entries(default_runs_folder())}
    for model in list_exported():
        card = cards.get(model.name)
        if card is None or card["data"] != imagenet.NAME:
            continue
        error = (card.get("published") or {}).get("top1_error_percent")
        yield Said(model.name, error, tuple(classify(photo, model.name).ranked(TOP)))


def missing_weights(weights_folder: Path, server: str = "") -> list[Published]:
    """Of AlexNet and VGG, in their order."""
    every = [published(net, server) for net in COMPARATORS]
    return [theirs for theirs in every if not (weights_folder / theirs.file_name).is_file()]


def fetch(theirs: Published, weights_folder: Path) -> Iterator[Event]:
    """Raises ModelError where it can't be fetched, or is not the file it should be."""
    yield from fetch_file(theirs.source, weights_folder / theirs.file_name, TIMEOUT_SECONDS)


def as_text(said: Sequence[Said]) -> str:
    """A line a net: published error, and the classes with their probabilities."""
    lines = [f"{'net':22}{'published error':>16}  answer"]
    for row in said:
        error = row.published_top1_error_percent
        known = "–" if error is None else f"{error:.2f} %"
        told = ", ".join(f"{name} {100 * p:.1f} %" for name, p in row.classes)
        lines.append(f"{row.net:22}{known:>16}  {told or row.missing}")
    return "\n".join(lines)


def _how_to_get(theirs: Published, file: Path) -> str:
    size = f"{theirs.source.size_bytes / 1e6:,.0f} MB"
    return f"its weights are not here: --fetch gets them ({size}). {by_hand(theirs.source, file)}"
