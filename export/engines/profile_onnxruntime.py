"""ONNX Runtime's own profile of a session on the CPU: a time for every node it ran."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from export.engines.layer_names import layer_finder
from export.engines.profile import WARM_RUNS, Operation, Profile, ProfiledRun
from export.precisions import existing_file
from export.session import PROVIDERS, OnnxSession
from export.threads import allowed_threads

OUTPUTS = ["logits", "probabilities"]
NODE_ENDING = "_kernel_time"
Event = dict[str, Any]


def profile_on_cpu(
    file: Path, precision: str, threads: int, images: NDArray[np.uint8], runs: int
) -> Profile:
    """As `Profiler` says. Only the CPU's nodes are timed where they run, so no GPU is offered."""
    file = existing_file(file, precision)
    engine = OnnxSession(file, "cpu", threads).name
    with tempfile.TemporaryDirectory() as folder:
        session = _open(file, threads, Path(folder))
        for _ in range(WARM_RUNS + runs):
            session.run(OUTPUTS, {"image": images})
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    return Profile(engine, read_events(events, layer_finder(file))[WARM_RUNS:])


def _open(file: Path, threads: int, folder: Path) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or allowed_threads()
    options.enable_profiling = True
    options.profile_file_prefix = str(folder / "profile")
    return ort.InferenceSession(file.read_bytes(), options, providers=[PROVIDERS["cpu"]])


def read_events(
    events: Sequence[Event], find_layer: Callable[[str], str]
) -> tuple[ProfiledRun, ...]:
    """Every run in a profile of ONNX Runtime's; its times are microseconds."""
    nodes = [e for e in events if e["cat"] == "Node" and e["name"].endswith(NODE_ENDING)]
    runs = [e for e in events if e["name"] == "model_run"]
    return tuple(
        ProfiledRun(
            run["dur"] / 1000,
            tuple(
                _operation(node, find_layer)
                for node in sorted(nodes, key=lambda node: int(node["ts"]))
                if run["ts"] <= node["ts"] < run["ts"] + run["dur"]
            ),
        )
        for run in sorted(runs, key=lambda run: int(run["ts"]))
    )


def _operation(node: Event, find_layer: Callable[[str], str]) -> Operation:
    name = node["name"].removesuffix(NODE_ENDING)
    return Operation(name, find_layer(name), node["args"]["op_name"], node["dur"] / 1000)
