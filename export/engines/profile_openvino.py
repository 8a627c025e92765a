"""OpenVINO's own profile of a model on the CPU: a time for every node it ran."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.engines.interface import OpenModel
from export.engines.layer_names import layer_finder
from export.engines.profile import WARM_RUNS, Operation, Profile, ProfiledRun, Profiler
from export.precisions import existing_file

EXECUTED = "Status.EXECUTED"  # the others were fused into their neighbours, or fell away
OPENINGS = 5
"""Times that the model is opened anew: medians need several readings, and one opening gives one."""


def profiler(open_counting: Callable[[Path, str, int], OpenModel]) -> Profiler:
    """A profiler of what `open_counting` opens: a model compiled with PERF_COUNT."""
    return partial(_profile, open_counting)


def _profile(
    open_counting: Callable[[Path, str, int], Any], file: Path, precision: str, threads: int,
    images: NDArray[np.uint8], runs: int,
) -> Profile:  # fmt: skip
    each = ceil(runs / OPENINGS)
    find_layer = layer_finder(existing_file(file, precision))
    opened = [open_counting(file, precision, threads) for _ in range(ceil(runs / each))]
    readings = tuple(
        _mean_run(model.compiled_for(images.shape), images, each, find_layer) for model in opened
    )
    return Profile(opened[0].name, readings, runs_each=each)


def _mean_run(
    compiled: Any, images: NDArray[np.uint8], runs: int, find_layer: Callable[[str], str]
) -> ProfiledRun:
    """The mean of some runs after warming up.

    OpenVINO tells each node's mean since the model was opened, in whole microseconds: what the
    later runs took is the difference of two totals.
    """
    request = compiled.create_infer_request()

    def run(times: int) -> float:
        began = perf_counter()
        for _ in range(times):
            np.array(request.infer({"image": images})["probabilities"], dtype=np.float32)
        return 1000 * (perf_counter() - began)

    run(WARM_RUNS)
    before = {node.node_name: _mean_ms(node) for node in request.profiling_info}
    taken = run(runs)
    operations = []
    for node in request.profiling_info:
        if str(node.status) == EXECUTED:
            total = _mean_ms(node) * (WARM_RUNS + runs) - before[node.node_name] * WARM_RUNS
            layer = find_layer(node.node_name)
            operations.append(
                Operation(node.node_name, layer, node.node_type, max(0.0, total / runs))
            )
    return ProfiledRun(taken / runs, tuple(operations))


def _mean_ms(node: Any) -> float:
    return float(1000 * node.real_time.total_seconds())
