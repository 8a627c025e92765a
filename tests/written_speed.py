"""Files of throughput results written by hand, in the layout that the benchmark writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet_core.files import write_json

ENVIRONMENT = {
    "python": "3.11.7", "torch": "2.15.0", "system": "Linux x86_64", "cpu": "Abacus 9000",
    "cores": 2, "clock_mhz": 2600, "memory_gb": 16.8, "threads": 2, "onnxruntime": "1.31.1",
    "cpu_features": ["avx2", "avx512_f", "avx512_vnni", "sse2"], "openvino": "2026.4.1",
}  # fmt: skip
MODELS = [
    {"name": "resnet20_v1", "family": "resnet_v1", "depth": 20, "test_error_percent": 8.39},
    {"name": "resnet56_v1", "family": "resnet_v1", "depth": 56, "test_error_percent": 6.5},
    {"name": "plain20", "family": "plain", "depth": 20, "test_error_percent": 9.6},
]


def speed_row(
    model: str = "resnet20_v1",
    engine: str = "onnxruntime-cpu",
    precision: str = "fp32",
    batch: int = 1,
    rates: Sequence[float] = (990.0, 1000.0, 1010.0),
    threads: str = "all",
    starts: Sequence[int] = (),
    **others: Any,
) -> dict[str, Any]:
    """A row with a figure; its percentiles follow from the middle rate."""
    middle = sorted(rates)[len(rates) // 2]
    call_ms = 1000 * batch / middle
    return {
        "model": model, "engine": engine, "precision": precision, "threads": threads,
        "batch_size": batch, "runs": f"{engine}, {precision}", "agreement_percent": 100.0,
        "test_error_percent": None, "valid": True, "reason": None, "install": None,
        "images_per_second": middle, "images_per_second_low": min(rates),
        "images_per_second_high": max(rates), "rounds": len(rates), "disturbed_rounds": 0,
        "rates": list(rates), "starts": list(starts) or [1] * len(rates),
        "p50_ms": call_ms, "p90_ms": 1.2 * call_ms, "p99_ms": 2 * call_ms if batch == 1 else None,
        **others,
    }  # fmt: skip


def failed_row(
    engine: str, precision: str, reason: str, agreement: float | None = None, install: str | None = None,
    batch: int = 1, model: str = "resnet20_v1",
) -> dict[str, Any]:  # fmt: skip
    """A row without a figure: an engine that is missing, or one whose answers were wrong."""
    return {
        "model": model, "engine": engine, "precision": precision, "threads": "all",
        "batch_size": batch, "runs": "", "agreement_percent": agreement, "test_error_percent": None,
        "valid": False, "reason": reason, "install": install, "images_per_second": None,
    }  # fmt: skip


def speed_file(rows: list[dict[str, Any]], **others: Any) -> dict[str, Any]:
    names = {row["model"] for row in rows}
    return {
        "format": "resnet-lab-throughput-1", "began_at": "2026-11-24T12:00:00+00:00",
        "environment": ENVIRONMENT, "command": "python -m benchmarks throughput --engines all",
        "settings": {}, "models": [model for model in MODELS if model["name"] in names],
        "progress": {"done": 9, "total": 9, "measuring_seconds": 9.0, "finished": True, "now": ""},
        "rows": rows, **others,
    }  # fmt: skip


def write_speed(path: Path, rows: list[dict[str, Any]], **others: Any) -> Path:
    write_json(path, speed_file(rows, **others))
    return path
