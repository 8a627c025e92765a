"""From files to answers: decoders work ahead of the engine, by so much and no more.

The decoders are threads: Pillow lets go of Python's lock while it decodes, and the engines while
they calculate, so both run at once and no pixels are copied from one process to another.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.classifier import ReadyModel
from export.folder.order import BATCH_SIZE
from export.threads import usable_cores
from resnet_core.errors import PictureError
from resnet_core.pictures import read_input

BATCHES_AHEAD = 2
"""Decoded while the engine works on one: a slow picture then holds nothing up."""

Pixels = NDArray[np.uint8]
Decoded = tuple[Path, Pixels | str]
"""A file with its pixels, or with what is wrong with it."""
Read = Callable[[Path, int], Pixels]
"""(file, input size) → what the net sees, (size, size, 3). Raises PictureError."""


@dataclass(frozen=True)
class Told:
    """What a model made of one file."""

    path: Path
    probabilities: NDArray[np.float32] | None
    """(classes,); None where the file can't be read as a picture."""
    problem: str = ""

    @property
    def ranks(self) -> list[int]:
        """Class numbers, most probable first; none where there is a problem."""
        if self.probabilities is None:
            return []
        return [int(index) for index in np.argsort(-self.probabilities, kind="stable")]

    @property
    def doubt(self) -> float:
        """1 − (first − second probability): 0 is sure, 1 is torn between two. 1 with a problem."""
        if self.probabilities is None:
            return 1.0
        first, second = np.append(np.sort(self.probabilities)[::-1], 0)[:2]
        return float(1 - (first - second))


def classify_many(
    paths: Sequence[Path], model: ReadyModel, batch_size: int = BATCH_SIZE, decoders: int = 0,
    read: Read | None = None,
) -> Generator[list[Told]]:  # fmt: skip
    """Ask one model about many files, in batches, in the order of the paths.

    Besides the batch that the engine works on, at most BATCHES_AHEAD batches of decoded pictures
    wait, at the size that the net sees.

    Args:
        decoders: threads that decode; 0 for one a core.

    Yields:
        The answers of one batch.

    Raises:
        ModelError: the engine fails.
    """
    size = model.facts.input_size
    read = read or partial(read_input, crop_share=model.facts.crop_share)
    # Engines compile for each size of a batch: few files make one of few sizes.
    batch_size = min(batch_size, 1 << (len(paths) - 1).bit_length())

    def decode(path: Path) -> Decoded:
        try:
            return path, read(path, size)
        except PictureError as error:
            return path, str(error)

    block = np.zeros((batch_size, size, size, 3), np.uint8)
    with closing(decode_ahead(paths, decode, decoders, BATCHES_AHEAD * batch_size)) as decoded:
        while batch := _fill(block, decoded):
            yield _ask(model, block, batch)


def decode_ahead(
    paths: Iterable[Path], decode: Callable[[Path], Decoded], decoders: int, ahead: int
) -> Generator[Decoded]:
    """Decode in threads, give out in order, and hold at most `ahead` that nobody has taken yet."""
    waiting: deque[Future[Decoded]] = deque()
    pool = ThreadPoolExecutor(decoders or usable_cores(), "decode")
    try:
        for path in paths:
            if len(waiting) == ahead:
                yield waiting.popleft().result()
            waiting.append(pool.submit(decode, path))
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _fill(block: Pixels, decoded: Iterator[Decoded]) -> list[tuple[Path, str]]:
    """Move the next pictures into the block, leaving out the bad ones; paths with what is wrong."""
    batch: list[tuple[Path, str]] = []
    filled = 0
    for path, result in islice(decoded, len(block)):
        if isinstance(result, str):
            batch.append((path, result))
        else:
            block[filled] = result
            filled += 1
            batch.append((path, ""))
    return batch


def _ask(model: ReadyModel, block: Pixels, batch: list[tuple[Path, str]]) -> list[Told]:
    """What is left over in the block from an earlier batch is calculated, and not looked at."""
    if all(problem for _, problem in batch):
        return [Told(path, None, problem) for path, problem in batch]
    answers = iter(model.run(block))
    return [
        Told(path, None, problem) if problem else Told(path, next(answers))
        for path, problem in batch
    ]
