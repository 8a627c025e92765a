"""What LoadGen's logs say of a run: rates, latencies, whether it counts, and every answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.load.scenarios import BOUND_SHARE, MULTI_STREAM, OFFLINE, SERVER, Run
from export.latency import samples_needed

MARK = ":::MLLOG "
PERCENTILES = (50, 90, 99)
FALLEN_BEHIND = "Too many outstanding queries"
SATURATED_SHARE = 0.9
"""A server that completes less than this of what is put to it is saturated."""


def read_detail(logs: Path) -> dict[str, Any]:
    """Each of LoadGen's keys with its last value; errors together under `errors`."""
    found: dict[str, Any] = {"errors": []}
    text = (logs / "mlperf_log_detail.txt").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.startswith(MARK):
            entry = json.loads(line.removeprefix(MARK))
            found[entry["key"]] = entry["value"]
            if entry["key"].startswith("error"):
                found["errors"].append(entry["value"])
    return found


def read_answers(logs: Path) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Every answer as LoadGen got it: its sample, (n,), and its probabilities, (n, classes)."""
    entries = json.loads((logs / "mlperf_log_accuracy.json").read_text(encoding="utf-8"))
    data = b"".join(bytes.fromhex(entry["data"]) for entry in entries)
    samples = np.array([entry["qsl_idx"] for entry in entries], np.int64)
    return samples, np.frombuffer(data, np.float32).reshape(len(entries), -1)


def describe(run: Run, detail: dict[str, Any]) -> dict[str, Any]:
    """The figures of a row, with LoadGen's own verdict and its reason.

    A latency is that of a query, from when it was due; offline, with its single query, has none.
    Percentiles are None where the queries are too few to tell them.
    """
    is_valid = detail["result_validity"] == "VALID"
    images_per_second = _rate(run, detail)
    return {
        "achieved_queries_per_second": (
            None if run.scenario == OFFLINE else images_per_second / run.images_per_query
        ),
        "achieved_images_per_second": images_per_second,
        **_latencies(run, detail),
        "saturated": is_saturated(detail) if run.scenario == SERVER else None,
        "valid": is_valid,
        "reason": None if is_valid else reason(run, detail),
    }


def _rate(run: Run, detail: dict[str, Any]) -> float:
    """Images a second; of the streams without the time that LoadGen itself needs between queries."""
    if run.scenario == OFFLINE:
        return float(detail["result_samples_per_second"])
    if run.scenario == SERVER:
        return float(detail["result_completed_samples_per_sec"])
    kind = "query_latency" if run.scenario == MULTI_STREAM else "latency"
    return run.images_per_query * 1e9 / float(detail[f"result_mean_{kind}_ns"])


def _latencies(run: Run, detail: dict[str, Any]) -> dict[str, Any]:
    count = 0 if run.scenario == OFFLINE else int(detail["result_query_count"])
    kind = "per_query_latency" if run.scenario == MULTI_STREAM else "latency"
    found: dict[str, Any] = {}
    for number in PERCENTILES:
        enough = count >= samples_needed(number / 100)
        nanoseconds = detail[f"result_{number}.00_percentile_{kind}_ns"] if enough else None
        found[f"p{number}_ms"] = None if nanoseconds is None else nanoseconds / 1e6
    return found | {"samples": count}


def is_saturated(detail: dict[str, Any]) -> bool:
    """Whether a server could not keep up with what was put to it."""
    if any(FALLEN_BEHIND in error for error in detail["errors"]):
        return True
    offered = float(detail["result_scheduled_samples_per_sec"])
    return float(detail["result_completed_samples_per_sec"]) < SATURATED_SHARE * offered


def reason(run: Run, detail: dict[str, Any]) -> str:
    """Why LoadGen does not count a run, in a sentence's words."""
    reasons = []
    if any(FALLEN_BEHIND in error for error in detail["errors"]):
        reasons.append("it fell so far behind that LoadGen stopped asking")
    elif not detail["result_min_duration_met"]:
        reasons.append(f"it ended before the {run.seconds:g} s that were asked for")
    if not detail.get("result_perf_constraints_met", True):
        reasons.append(
            f"more than {100 * (1 - BOUND_SHARE):.0f} % of its answers took longer than "
            f"{run.latency_bound_ms:g} ms"
        )
    elif not detail["early_stopping_met"]:
        reasons.append("LoadGen needs more queries to be sure of the percentile")
    if not detail["result_min_queries_met"]:
        reasons.append(f"it had fewer than {run.min_queries} queries")
    return "; ".join(reasons) or str(detail.get("result_invalid_reason") or "LoadGen says so")
