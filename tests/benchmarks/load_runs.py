"""Short runs under load, as tests ask for them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from benchmarks.load.scenarios import SERVER
from benchmarks.load.settings import LoadSettings

SETTINGS = LoadSettings(
    seconds=0.2, min_queries=20, batch_size=4, latency_bound_ms=500.0, queries_per_second="200"
)


def run_of(scenario: str, **changed: Any):
    load = 200.0 if scenario == SERVER else None
    return replace(SETTINGS.run(scenario, load), **changed)
