"""The only place that knows LoadGen: its settings, its calls, and where it writes its logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.load.samples import Samples
from benchmarks.load.scenarios import BOUND_SHARE, MULTI_STREAM, OFFLINE, SERVER, STREAM_IMAGES, Run
from benchmarks.load.system import System
from export.engines.interface import OpenModel
from resnet_core.errors import LabError

MODULE = "mlperf_loadgen"
PACKAGE = "mlcommons-loadgen"
NAMES = {"single-stream": "SingleStream", MULTI_STREAM: "MultiStream", SERVER: "Server", OFFLINE: "Offline"}  # fmt: skip
NS_PER_MS = 1_000_000
LEAST_BACKLOG_SECONDS = 2.0
BACKLOG_BOUNDS = 10  # a server this many bounds behind will not meet them any more


def require_loadgen() -> None:
    """
    Raises:
        LabError: LoadGen is missing, and how to install it.
    """
    if find_spec(MODULE) is None:
        raise LabError(
            f"MLPerf's LoadGen, which drives this benchmark, is not installed here: "
            f"`python -m pip install {PACKAGE}`."
        )


def loadgen_version() -> str:
    return version(PACKAGE)


def drive(
    run: Run,
    model: OpenModel,
    samples: Samples,
    call_seconds: float,
    logs: Path,
    fail: Callable[[Exception], None],
) -> System:
    """Let LoadGen put one run to a system; returns it when all is answered.

    Args:
        call_seconds: what a call of the engine takes, at its quickest: LoadGen draws so many
            queries beforehand.
        logs: an empty folder.
        fail: takes what the engine raised. LoadGen can't be told of it, and would wait for ever
            for the answer: end the process.
    """
    import mlperf_loadgen as loadgen

    system = System(model, samples, run.most_images, run.longest_wait_ms, _answer, fail)
    sut = loadgen.ConstructSUT(
        lambda queries: system.issue([(query.id, query.index) for query in queries]), lambda: None
    )
    library = loadgen.ConstructQSL(len(samples), len(samples), samples.load, samples.unload)
    try:
        loadgen.StartTestWithLogSettings(
            sut, library, _settings(loadgen, run, call_seconds), _log_settings(loadgen, logs)
        )
    finally:
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(sut)
    system.close()
    return system


def _answer(queries: Sequence[int], probabilities: NDArray[np.float32]) -> None:
    import mlperf_loadgen as loadgen

    first, step = probabilities.ctypes.data, probabilities.strides[0]
    # LoadGen copies the bytes before it returns; until then `probabilities` holds them.
    loadgen.QuerySamplesComplete(
        [
            loadgen.QuerySampleResponse(query, first + place * step, step)
            for place, query in enumerate(queries)
        ]
    )


def _settings(loadgen: Any, run: Run, call_seconds: float) -> Any:
    settings = loadgen.TestSettings()
    settings.scenario = getattr(loadgen.TestScenario, NAMES[run.scenario])
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = ceil(1000 * run.seconds)
    settings.min_query_count = run.min_queries
    for name in ("qsl", "sample_index", "schedule", "accuracy_log"):
        setattr(settings, f"{name}_rng_seed", run.seed)
    # Every answer's bytes are logged with the sample they are for: what is timed is checked too.
    settings.accuracy_log_probability = 1.0
    call_ns = max(1, int(1e9 * call_seconds))
    settings.single_stream_expected_latency_ns = call_ns
    settings.multi_stream_expected_latency_ns = call_ns
    settings.multi_stream_samples_per_query = STREAM_IMAGES
    settings.offline_expected_qps = run.most_images / call_seconds
    if run.queries_per_second is not None:
        _set_server(settings, run, run.queries_per_second)
    return settings


def _set_server(settings: Any, run: Run, queries_per_second: float) -> None:
    settings.server_target_qps = queries_per_second
    settings.server_target_latency_ns = int(NS_PER_MS * run.latency_bound_ms)
    settings.server_target_latency_percentile = BOUND_SHARE
    # Without a limit an overloaded server would be waited for, however far it is behind.
    behind = max(LEAST_BACKLOG_SECONDS, BACKLOG_BOUNDS * run.latency_bound_ms / 1000)
    settings.server_max_async_queries = ceil(queries_per_second * behind)


def _log_settings(loadgen: Any, logs: Path) -> Any:
    settings = loadgen.LogSettings()
    settings.log_output.outdir = str(logs)
    settings.enable_trace = False
    return settings
