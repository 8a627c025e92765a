"""A folder classified by this kit's command and by a plain loop: processes in turn, timed as a whole."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.folder.memory import MemoryCurve
from benchmarks.folder.pictures import DRAWN, KINDS, write_pictures
from benchmarks.rounds import Comparison
from export.catalogue import find_exported
from resnet_core.errors import ConfigError, LabError
from resnet_core.training.machine import describe_machine

ROOT = Path(__file__).resolve().parents[2]
UNIT = "pictures_per_second"

# Pillow, a batch of one, ONNX Runtime as it comes, and no line of this kit.
PLAIN_LOOP = """
import json, sys
from pathlib import Path
import numpy, onnxruntime
from PIL import Image, ImageOps
file, folder = sys.argv[1:]
session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
image = session.get_inputs()[0]
size = image.shape[1]
classes = json.loads(session.get_modelmeta().custom_metadata_map["class_names"])
answers = []
for path in sorted(Path(folder).iterdir()):
    picture = ImageOps.fit(Image.open(path).convert("RGB"), (size, size))
    probabilities = session.run(["probabilities"], {image.name: numpy.asarray(picture)[None]})[0]
    answers.append(classes[int(probabilities.argmax())])
print(json.dumps(answers))
"""


@dataclass(frozen=True)
class Rivals:
    """What is compared, on what."""

    model: str
    engine: str = ""
    """Ours, as `open_engine` takes it; empty for the fastest that agrees."""
    kind: str = "mix"
    """Of pictures, one of KINDS."""
    pictures: int = 400
    rounds: int = 5

    def check(self) -> None:
        """Raises ConfigError."""
        if self.pictures < 1 or self.rounds < 1:
            raise ConfigError("--pictures and --rounds should be at least 1.")


def compare_folder(rivals: Rivals) -> dict[str, Any]:
    """Pictures a second of both, their ratio by round, and how often they say the same.

    Raises:
        ConfigError: fewer than one picture or round.
        LabError: one of the two failed.
    """
    rivals.check()
    file = find_exported(rivals.model).file
    ours, theirs = [], []
    with _written(rivals.kind, rivals.pictures) as (folder, table, own):
        megabytes = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        for _ in range(rivals.rounds):
            seconds, expected = _plain(file, folder)
            theirs.append(rivals.pictures / seconds)
            seconds, _ = _kit(rivals.model, rivals.engine, folder, table)
            ours.append(rivals.pictures / seconds)
        told = _read(table)
    same = sum(a == row["class"] for a, row in zip(expected, told, strict=True))
    return {
        "benchmark": "folder",
        "model": rivals.model,
        "engine": told[0]["engine"],
        **_describe(rivals.kind, rivals.pictures, own),
        "megabytes": megabytes,
        "same_class_percent": 100 * same / rivals.pictures,
        **Comparison(tuple(ours), tuple(theirs)).to_dict(UNIT),
        "environment": describe_machine(),
    }


def measure_memory(model: str, engine: str, kind: str, pictures: int) -> dict[str, Any]:
    """The memory of this kit's command while it classifies one large folder.

    Raises:
        ConfigError: fewer than one picture.
        LabError: it failed.
    """
    if pictures < 1:
        raise ConfigError("--pictures should be at least 1.")
    with _written(kind, pictures) as (folder, table, own):
        seconds, curve = _kit(model, engine, folder, table)
        told = _read(table)[0]["engine"]
    return {
        "benchmark": "folder-memory",
        "model": model,
        "engine": told,
        **_describe(kind, pictures, own),
        f"ours_{UNIT}": pictures / seconds,
        **curve.to_dict(),
        "environment": describe_machine(),
    }


@contextmanager
def _written(kind: str, pictures: int) -> Iterator[tuple[Path, Path, int]]:
    """A folder of pictures, written once for all rounds; where a table may go; files of their own."""
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as place:
        folder = Path(place, "pictures")
        folder.mkdir()
        yield folder, Path(place, "answers.csv"), write_pictures(folder, pictures, kind)


def _describe(kind: str, pictures: int, own: int) -> dict[str, Any]:
    return {
        "kind": kind,
        "sizes": [list(size) for size in KINDS[kind]],
        "pictures": pictures,
        "files_of_their_own": own,
        "drawn": min(pictures, DRAWN),
    }


def _plain(file: Path, folder: Path) -> tuple[float, list[str]]:
    """Seconds from start to end of the process, and the classes in the order of the files."""
    began = perf_counter()
    words = [sys.executable, "-c", PLAIN_LOOP, str(file), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True)
    seconds = perf_counter() - began
    if done.returncode:
        raise LabError(f"The plain loop failed: {_last(done.stderr)}")
    return seconds, json.loads(done.stdout)


def _kit(model: str, engine: str, folder: Path, table: Path) -> tuple[float, MemoryCurve]:
    """Seconds from start to end of the process, and its memory after every batch."""
    words = ["classify", str(folder), "--csv", str(table), "--model", model, "--json", "--again"]
    forced = ["--engine", engine] if engine else []
    command = [sys.executable, "-m", "export", *words, *forced]
    curve = MemoryCurve()
    with tempfile.TemporaryFile("w+") as errors:
        began = perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "advanced":
                    curve.sample(process.pid, event["done"])
        seconds = perf_counter() - began
        errors.seek(0)
        if process.returncode:
            raise LabError(f"Classifying the folder failed: {_last(errors.read())}")
    return seconds, curve


def _read(table: Path) -> list[dict[str, str]]:
    with open(table, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _last(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing."])[-1]
