"""Data sets that travel with a study: each is put once where all nodes of the cluster can get it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.depth.on_node import SentData
from resnet_core.data import cifar10
from resnet_core.data.own_store import PREFIX, find_prepared
from resnet_core.training.config import TrainConfig


class DataStore:
    """The files that were put into the cluster's object store so far."""

    def __init__(self, put: Callable[[bytes], Any]):
        self._put = put
        self._sent: dict[Path, SentData] = {}

    def send(self, config: TrainConfig) -> SentData | None:
        """The data of a run as its node gets it; None where the node makes it itself.

        Raises:
            LabError: there is no such data set here, or its file is damaged.
        """
        folder = Path(config.data_folder)
        path = _file_of(config.data, folder)
        if path is None:
            return None
        if path not in self._sent:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            name = path.relative_to(folder).as_posix()
            self._sent[path] = SentData(name, digest, self._put(content))
        return self._sent[path]


def _file_of(data: str, folder: Path) -> Path | None:
    if data.startswith(PREFIX):
        return find_prepared(data, folder).file
    if data != "cifar10":
        return None
    path = folder / cifar10.FILE_NAME
    if not path.exists():
        cifar10.load_cifar10_arrays(folder)  # fetches it
    return path
