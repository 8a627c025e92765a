"""A folder classified by this kit's command and by a plain loop: processes in turn, timed as a whole."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.folder.memory import MemoryCurve
from benchmarks.folder.pictures import DISTINCT, SIZES, write_pictures
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


def compare_folder(model: str, engine: str, pictures: int, rounds: int) -> dict[str, Any]:
    """Pictures a second of both, their ratio by round, and the memory of ours over each run.

    Args:
        engine: ours, as `open_engine` takes it; empty for the fastest that agrees.

    Raises:
        ConfigError: fewer than one picture or round.
        LabError: one of the two failed.
    """
    if pictures < 1 or rounds < 1:
        raise ConfigError("--pictures and --rounds should be at least 1.")
    file = find_exported(model).file
    ours, theirs, curves = [], [], []
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as place:
        folder, table = Path(place, "pictures"), Path(place, "answers.csv")
        folder.mkdir()
        write_pictures(folder, pictures)
        for _ in range(rounds):
            seconds, expected = _plain(file, folder)
            theirs.append(pictures / seconds)
            seconds, curve = _kit(model, engine, folder, table)
            ours.append(pictures / seconds)
            curves.append(curve)
        told = _read(table)
    same = sum(a == row["class"] for a, row in zip(expected, told, strict=True))
    return {
        "benchmark": "folder",
        "model": model,
        "engine": told[0]["engine"],
        "pictures": pictures,
        "distinct_pictures": min(pictures, DISTINCT),
        "sizes": [list(size) for size in SIZES],
        "same_class_percent": 100 * same / pictures,
        **Comparison(tuple(ours), tuple(theirs)).to_dict(UNIT),
        "memory": [curve.to_dict() for curve in curves],
        "environment": describe_machine(),
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
