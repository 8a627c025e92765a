"""Kills through a download of the data, the tuning of engines, and an import."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.endurance.kills.attack import Attack, check_files, visible_files, without_times
from tests.endurance.kills.trainings import weights_digest

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Downloading(Attack):
    """CIFAR-10's archive from a server of our own: the same layout, other images."""

    name: str = "download"
    share: int = 15

    def prepare(self, shared: Path) -> None:
        import numpy as np

        names = [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]
        digests = {}
        with tarfile.open(shared / "cifar.tar.gz", "w:gz", compresslevel=1) as archive:
            for number, name in enumerate(names):
                images = np.full((10_000, 3072), number, np.uint8)
                batch = {"data": images, "labels": [i % 10 for i in range(10_000)]}
                digests[name] = _add(archive, name, pickle.dumps(batch))
            meta = {"label_names": [str(i) for i in range(10)]}
            digests["batches.meta"] = _add(archive, "batches.meta", pickle.dumps(meta))
        packed = hashlib.md5((shared / "cifar.tar.gz").read_bytes()).hexdigest()
        (shared / "digests.json").write_text(json.dumps(digests | {"archive": packed}))

    def work(self, shared: Path, folder: Path) -> object:
        from torchvision.datasets import CIFAR10

        from resnet_core.data.cifar10 import load_cifar10_arrays

        digests = json.loads((shared / "digests.json").read_text())
        CIFAR10.tgz_md5 = digests["archive"]
        CIFAR10.meta = CIFAR10.meta | {"md5": digests["batches.meta"]}
        for part in ("train_list", "test_list"):
            setattr(CIFAR10, part, [[n, digests[n]] for n, _ in getattr(CIFAR10, part)])
        with _server(shared) as address:
            CIFAR10.url = f"{address}/cifar.tar.gz"
            load_cifar10_arrays(folder)
        return 0

    def check(self, folder: Path) -> str:
        check_files(folder)
        assert {path.name for path in visible_files(folder)} <= {"cifar10.npz"}
        return "made" if (folder / "cifar10.npz").exists() else "not made"

    def result(self, folder: Path) -> Any:
        import numpy as np

        assert not [path.name for path in folder.glob(".cifar10-*")], "parts were left"
        with np.load(folder / "cifar10.npz") as arrays:
            return {name: hashlib.md5(arrays[name].tobytes()).hexdigest() for name in arrays}


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> str:
    entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
    return hashlib.md5(content).hexdigest()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _server(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@dataclass(frozen=True)
class Tuning(Attack):
    """With few samples: the figures mean nothing, the file must be whole."""

    name: str = "tune"
    share: int = 15

    def work(self, _: Path, folder: Path) -> object:
        import export.gate
        import export.tune
        from export.__main__ import main

        os.environ["RESNET_LAB_RUNS"] = str(folder / "runs")
        export.gate.GATE_IMAGES = 100
        export.tune.SAMPLES, export.tune.ROUNDS, export.tune.WARM_UPS = 10, 2, 2
        return main(["tune", "plain20", "--data-folder", str(folder / "nothing")])

    def check(self, folder: Path) -> str:
        os.environ["RESNET_LAB_RUNS"] = str(folder / "runs")
        from export.tuned import cache_file, read_tuned

        file = ROOT / "zoo" / "plain20" / "model.onnx"
        # A file of results is either not there or says all that was measured.
        assert cache_file(file).exists() == (read_tuned(file) is not None)
        return "made" if read_tuned(file) else "not made"

    def result(self, folder: Path) -> Any:
        os.environ["RESNET_LAB_RUNS"] = str(folder / "runs")
        from export.tuned import read_tuned

        tuned = read_tuned(ROOT / "zoo" / "plain20" / "model.onnx")
        kept = ("engine", "precision", "agreement_percent", "valid")
        rows = [{key: row[key] for key in kept} for row in tuned.rows]
        chosen = {f"{row['engine']}:{row['precision']}" for row in rows if row["valid"]}
        assert tuned.chosen in chosen
        return rows


@dataclass(frozen=True)
class Importing(Attack):
    name: str = "import"
    share: int = 22

    def prepare(self, shared: Path) -> None:
        import torch

        from tests.resnet_core.doctor.ports import Port

        torch.save(Port().state_dict(), shared / "port.pth")
        (shared / "names.txt").write_text("\n".join("abcdefghij"))

    def work(self, shared: Path, folder: Path) -> object:
        from resnet_core.__main__ import main

        runs = folder / "runs"
        if (runs / "imported" / "net").exists():
            return 0
        options = ["--normalisation", "imagenet", "--classes", str(shared / "names.txt")]
        where = ["--name", "net", "--runs", str(runs)]
        return main(["import", str(shared / "port.pth"), *options, *where])

    def check(self, folder: Path) -> str:
        from resnet_core.models.saved import load_model
        from resnet_core.zoo import imported_entries

        check_files(folder)
        entries = imported_entries(folder / "runs")
        for entry in entries:
            load_model(entry.weights_file)
        assert len(list((folder / "runs" / "imported").glob("[!.]*"))) == len(entries)
        return "made" if entries else "not made"

    def result(self, folder: Path) -> Any:
        from resnet_core.zoo import imported_entries

        (entry,) = imported_entries(folder / "runs")
        weights = weights_digest(entry.weights_file)
        return {"card": without_times(entry.card), "weights": weights}
