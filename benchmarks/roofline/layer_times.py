"""Where an engine's time goes: medians by operation and by layer, and what lies outside of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.engines.catalogue import Choice
from export.engines.profile import Operation, ProfiledRun
from resnet_core.errors import ConfigError

OUTSIDE = "outside layers"
WARM_RUNS = 5
Row = dict[str, Any]


def profile_engine(
    choice: Choice, file: Path, input_size: int, batch_size: int, threads: int, runs: int
) -> Row:
    """Time what an engine does with a batch of random pixels.

    Args:
        threads: 0 for all.

    Raises:
        ConfigError: the engine can't tell, or no memory holds so many images.
        ModelError: it can't open the file.
    """
    profile = choice.engine.profile
    if profile is None:
        raise ConfigError(
            f"{choice.engine.title} can't tell what its layers take: choose onnxruntime-cpu, "
            "openvino-cpu or pytorch-eager."
        )
    shape = (batch_size, input_size, input_size, 3)
    try:
        images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    except MemoryError as error:
        raise ConfigError(f"{error}: choose a smaller --batch-size.") from None
    unwatched = _unwatched_ms(choice, file, threads, images, runs)
    found = profile(file, choice.precision, threads, images, runs)
    return {
        "runs_on": found.engine,
        "runs": len(found.runs),
        "runs_each": found.runs_each,
        "unwatched_ms": unwatched,
        **summarise(found.runs),
    }


def _unwatched_ms(
    choice: Choice, file: Path, threads: int, images: NDArray[np.uint8], runs: int
) -> float:
    """A run's median without the profiler, which slows what it watches."""
    model = choice.engine.open(file, choice.precision, threads)
    times = []
    for _ in range(WARM_RUNS + runs):
        began = perf_counter()
        model.run(images)
        times.append(1000 * (perf_counter() - began))
    return median(times[WARM_RUNS:])


def summarise(runs: Sequence[ProfiledRun]) -> Row:
    """Medians over the runs. The operations' and the time outside them add up to `sum_ms`.

    `run_ms` is the median of whole runs, which medians of parts need not add up to.
    """
    times: dict[str, list[float]] = {}
    about: dict[str, Operation] = {}
    outside = []
    for run in runs:
        for operation in run.operations:
            about.setdefault(operation.name, operation)
            times.setdefault(operation.name, []).append(operation.milliseconds)
        outside.append(run.milliseconds - sum(part.milliseconds for part in run.operations))
    outside_ms = max(0.0, median(outside))
    total = outside_ms + sum(map(median, times.values()))
    rows = [
        {
            "name": name,
            "layer": about[name].layer,
            "kind": about[name].kind,
            "ms": median(values),
            "lowest_ms": min(values),
            "highest_ms": max(values),
            "share_percent": 100 * median(values) / total,
        }
        for name, values in times.items()
    ]
    return {
        "run_ms": median(run.milliseconds for run in runs),
        "sum_ms": total,
        "outside_ms": outside_ms,
        "outside_percent": 100 * outside_ms / total,
        "operations": rows,
        "layers": _by_layer(rows),
    }


def _by_layer(rows: Sequence[Row]) -> list[Row]:
    """Sums by layer, in the order they first ran; what belongs to no layer by what it does."""
    layers: dict[str, Row] = {}
    for row in rows:
        name = row["layer"] or row["kind"]
        empty = {"layer": name, "kinds": [], "ms": 0.0, "share_percent": 0.0}
        layer = layers.setdefault(name, empty)
        layer["ms"] += row["ms"]
        layer["share_percent"] += row["share_percent"]
        if row["kind"] not in layer["kinds"]:
            layer["kinds"].append(row["kind"])
    return list(layers.values())


def describe(stored: Row, by_operation: bool = False) -> Iterator[str]:
    """A line a layer, or an operation; the time outside; the sum."""
    each = f", each the mean of {stored['runs_each']}" if stored["runs_each"] > 1 else ""
    yield (
        f"{stored['model']} on {stored['runs_on']}, {stored['batch_size']} images, "
        f"threads {stored['threads']}, medians of {stored['runs']} runs{each}"
    )
    for row in stored["operations" if by_operation else "layers"]:
        name = row["name"] if by_operation else row["layer"]
        kinds = row["kind"] if by_operation else ", ".join(row["kinds"])
        yield _line(name, row["ms"], row["share_percent"], kinds)
    yield _line(OUTSIDE, stored["outside_ms"], stored["outside_percent"], "")
    yield _line("sum", stored["sum_ms"], 100.0, "")
    yield (
        f"A whole run took {stored['run_ms']:.3f} ms while it was watched and "
        f"{stored['unwatched_ms']:.3f} ms while it was not."
    )


def _line(name: str, ms: float, share: float, kinds: str) -> str:
    return f"  {name:48} {ms:9.3f} ms {share:6.2f} %  {kinds}".rstrip()
