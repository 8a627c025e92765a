"""A long life in a short time: thousands of jobs in one process, and what it holds on to.

Eight hours of one person's use are about a job every ten seconds: 3,000 of them. They are done here
one after the other, and after each batch the process's files, threads, children, temporary files
and memory are counted. What grows with the jobs shows as a slope.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import stats

from resnet_core.files import write_json
from tests.endurance.results import envelope

FORMAT = "resnet-lab-soak-1"
ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "ui" / "classify" / "examples" / "ship.jpg"
ENGINE = "onnxruntime-cpu:fp32"
SAMPLES = 60
WARM_UP_SHARE = 0.25
"""Of all jobs: caches fill, libraries load; slopes are taken after it."""
SHARES = {
    "classify": 55,
    "look": 15,
    "report": 4,
    "compare": 3,
    "open": 10,
    "prepare": 8,
    "train": 5,
}


def jobs(folder: Path) -> dict[str, Callable[[], object]]:
    """What an app's process and a worker's do, by name; all within `folder`."""
    os.environ["RESNET_LAB_RUNS"] = str(folder / "runs")
    os.environ["RESNET_LAB_ENGINE"] = ENGINE  # or an answer starts measuring
    from benchmarks.depth.report import as_table
    from benchmarks.depth.results import read_results
    from benchmarks.depth.study import SHIPPED_FOLDER, read_study
    from export.classifier import classify
    from export.session import OnnxSession
    from tests.written_runs import write_run
    from ui.classify.tab import _answer_page
    from ui.train.compare import _compare
    from ui.train.watch import look

    runs, chance = [f"run-{number}" for number in range(4)], random.Random(0)
    for number, name in enumerate(runs):
        write_run(folder / "runs" / name, seed=number)
    pets = _draw_pets(folder / "pets")
    return {
        "classify": lambda: (
            classify(EXAMPLE, "resnet20_v1", ENGINE),
            _answer_page(EXAMPLE, "plain20", "", 3, ENGINE),
        ),
        "look": lambda: look(chance.choice(runs), None),
        "report": lambda: as_table(read_results(read_study(SHIPPED_FOLDER / "cifar10-taste-3"))),
        "compare": lambda: _compare(chance.sample(runs, 2), "epoch", "error", "both", "run"),
        "open": lambda: (
            OnnxSession(ROOT / "zoo" / "plain20" / "model.onnx", "cpu", threads=1).facts
        ),
        "prepare": lambda: _prepare(pets, folder / "data", 8 + chance.randrange(24)),
        "train": lambda: _train(folder / "trained"),
    }


def _draw_pets(folder: Path) -> Path:
    """Six small pictures in two classes."""
    drawn = np.random.default_rng(0)
    for kind in ("cat", "dog"):
        (folder / kind).mkdir(parents=True)
        for number in range(3):
            pixels = drawn.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(folder / kind / f"{number}.png")
    return folder


def _prepare(pets: Path, data: Path, size: int) -> None:
    from resnet_core.data.own_images import prepare_images

    prepare_images(pets, data, image_size=size)
    shutil.rmtree(data)


def _train(runs: Path) -> None:
    """A whole training of a few steps, deleted afterwards."""
    from resnet_core.models.config import ModelConfig
    from resnet_core.runs.deletion import delete_run
    from resnet_core.training.config import TrainConfig
    from resnet_core.training.new_run import create_run
    from resnet_core.training.recipes import find_recipe
    from resnet_core.training.run import execute

    recipe = find_recipe("taste").changed(epochs=0.03, batch_size=32)
    plain = ModelConfig("plain", 8)
    config = TrainConfig(
        plain, "shapes", recipe, "data", threads=1, precision="fp32", compile="off"
    )
    run = create_run(config, runs)
    assert [event.kind for event in execute(run)][-1] == "finished"
    run.environment_file.unlink()  # this process lives on
    delete_run(run)


def held(folder: Path) -> dict[str, float]:
    """What the process holds now. Memory in MB."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    rss_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    temporary = list(Path(tempfile.gettempdir()).iterdir())
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    left = [path for path in folder.rglob("*") if path.is_file() and path.name.endswith(".tmp")]
    return {
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "children": len(children),
        "temporary": len(temporary) + len(left),
        "rss_mb": rss_kb / 1024,
    }


def slopes(samples: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Growth of each measure in 1,000 jobs with its 95 % interval, after the warm-up."""
    last = samples[-1]["jobs"]
    kept = [sample for sample in samples if sample["jobs"] >= WARM_UP_SHARE * last]
    found = {}
    for key in ("files", "threads", "children", "temporary", "rss_mb"):
        line = stats.linregress([s["jobs"] for s in kept], [s[key] for s in kept])
        half = float(stats.t.ppf(0.975, len(kept) - 2) * line.stderr)
        half = half if math.isfinite(half) else 0.0  # what never changes has no spread
        found[key] = {
            "per_1000_jobs": round(1000 * float(line.slope), 3),
            "half_width": round(1000 * half, 3),
            "first": kept[0][key],
            "last": kept[-1][key],
        }
    return found


def run(count: int, seed: int, out: Path | None, pause_file: Path = Path()) -> dict[str, Any]:
    """Do `count` jobs in an order drawn by `seed`; gives, and writes, what was held on to."""
    with tempfile.TemporaryDirectory(prefix="soak-") as place:
        home = Path(place)
        tempfile.tempdir = str(home / "tmp")
        Path(tempfile.tempdir).mkdir()
        try:
            return _run(count, seed, out, home, pause_file)
        finally:
            tempfile.tempdir = None


def _run(count: int, seed: int, out: Path | None, home: Path, pause_file: Path) -> dict[str, Any]:
    todo, chance = jobs(home), random.Random(seed)
    names = chance.choices(list(SHARES), list(SHARES.values()), k=count)
    samples, done, began = [held(home) | {"jobs": 0}], Counter[str](), time.monotonic()
    for number, name in enumerate(names, start=1):
        todo[name]()
        done[name] += 1
        while pause_file.name and pause_file.exists():
            time.sleep(1)
        if number % max(1, count // SAMPLES) == 0 or number == count:
            samples.append(held(home) | {"jobs": number})
            result = envelope(
                FORMAT, f"python -m tests.endurance soak --jobs {count} --seed {seed}"
            )
            result |= {
                "jobs": number, "done": dict(done), "seconds": round(time.monotonic() - began),
                "samples": samples,
            }  # fmt: skip
            if len(samples) > 8:
                result["slopes"] = slopes(samples)
            if out is not None:
                write_json(out, result)
    return result
