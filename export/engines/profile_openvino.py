"""OpenVINO's own profile of a request: a time for every node it ran."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.engines.interface import OpenModel
from export.engines.layer_names import layer_finder
from export.engines.profile import WARM_RUNS, Operation, Profile, ProfiledRun, Profiler
from export.precisions import existing_file

EXECUTED = "Status.EXECUTED"


def profiler(open_counting: Callable[[Path, str, int], OpenModel]) -> Profiler:
    """A profiler of what `open_counting` opens: a model compiled with PERF_COUNT."""
    return partial(_profile, open_counting)


def _profile(
    open_counting: Callable[[Path, str, int], Any], file: Path, precision: str, threads: int,
    images: NDArray[np.uint8], runs: int,
) -> Profile:  # fmt: skip
    opened = open_counting(file, precision, threads)
    request = opened.compiled_for(images.shape).create_infer_request()
    find_layer = layer_finder(existing_file(file, precision))

    def run() -> ProfiledRun:
        began = perf_counter()
        np.array(request.infer({"image": images})["probabilities"], dtype=np.float32)
        milliseconds = 1000 * (perf_counter() - began)
        return ProfiledRun(milliseconds, tuple(_operations(request.profiling_info, find_layer)))

    for _ in range(WARM_RUNS):
        run()
    return Profile(opened.name, tuple(run() for _ in range(runs)))


def _operations(nodes: Sequence[Any], find_layer: Callable[[str], str]) -> Iterator[Operation]:
    """Those that ran: the others were fused into their neighbours, or fell away."""
    for node in nodes:
        if str(node.status) == EXECUTED:
            milliseconds = 1000 * node.real_time.total_seconds()
            yield Operation(
                node.node_name, find_layer(node.node_name), node.node_type, milliseconds
            )
