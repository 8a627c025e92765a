"""What a measurement under load is asked, and the command line that asks it. No engines, no torch."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, fields
from math import inf
from typing import Any

from benchmarks.load.scenarios import MULTI_STREAM, SCENARIOS, SERVER, STREAM_IMAGES, Run
from resnet_core.errors import ConfigError
from resnet_core.options import as_words

AUTO = "auto"
AT_LEAST_ONE = ("min_queries", "batch_size", "images")
LARGEST_SEED = 2**64 - 1  # LoadGen's seeds have 64 bits
MOST_QUERIES = 1_000_000
"""A second: more than LoadGen can ask."""


@dataclass(frozen=True)
class LoadSettings:
    """The options of `python -m benchmarks load`, as they are said."""

    model: str = "resnet20_v1"
    """Shipped model, run or .onnx file."""
    engine: str = "onnxruntime-cpu"
    """Engines with commas between, each at its exact precision or the one after a colon, such as openvino-cpu:bf16."""
    scenarios: str = ",".join(SCENARIOS)
    """Some of single-stream, multi-stream, server and offline, with commas between."""
    seconds: float = 10.0
    """Shortest length of one run."""
    min_queries: int = 100
    """Fewest queries of one run; fewest images of an offline one."""
    queries_per_second: str = AUTO
    """Loads of the server scenario, such as 10,50,100; auto: shares of a short offline reading."""
    latency_bound_ms: float = 15.0
    """What 99 of 100 answers of the server scenario must keep to."""
    threads: str = "all"
    """Of the engine: a number, or all."""
    batch_size: int = 32
    """Most images in one call of the engine, for offline and the server's dynamic batching."""
    batch_wait_ms: float = 0.0
    """How long the server lets an image wait for others; 0: takes at once whatever waits."""
    images: int = 1024
    """Test images that are held in memory and asked about."""
    seed: int = 0
    """Seed of LoadGen's order and arrival times."""

    def __post_init__(self) -> None:
        problems = [
            f"--{name.replace('_', '-')} should be at least 1, not {getattr(self, name)}."
            for name in AT_LEAST_ONE
            if getattr(self, name) < 1
        ]
        problems += [
            f"--{name.replace('_', '-')} should be more than 0 and finite, not {getattr(self, name):g}."
            for name in ("seconds", "latency_bound_ms")
            if not 0 < getattr(self, name) < inf
        ]
        if not 0 <= self.batch_wait_ms < inf:
            problems.append(
                f"--batch-wait-ms should be a number from 0, not {self.batch_wait_ms:g}."
            )
        if not 0 <= self.seed <= LARGEST_SEED:
            problems.append(f"--seed should be from 0 to {LARGEST_SEED}, not {self.seed}.")
        unknown = [name for name in split(self.scenarios) if name not in SCENARIOS]
        if unknown or not split(self.scenarios):
            found = ", ".join(unknown) or "nothing"
            problems.append(f"--scenarios takes {', '.join(SCENARIOS)}, not {found}.")
        if not split(self.engine):
            problems.append("--engine is empty: name one or more.")
        if self.queries_per_second != AUTO and not _are_rates(self.queries_per_second):
            problems.append(
                f"--queries-per-second takes numbers above 0 and up to {MOST_QUERIES:,}, such as "
                "10,50,100, or auto, not "
                f"'{self.queries_per_second}'."
            )
        if problems:
            raise ConfigError(problems)

    @property
    def engines(self) -> list[str]:
        return split(self.engine)

    @property
    def loads(self) -> list[float] | None:
        """Queries a second, lowest first; None for auto."""
        if self.queries_per_second == AUTO:
            return None
        return sorted({float(word) for word in split(self.queries_per_second)})

    def run(self, scenario: str, queries_per_second: float | None = None) -> Run:
        """One run of a scenario; the server's at a load."""
        sizes = {MULTI_STREAM: STREAM_IMAGES, SCENARIOS[0]: 1}
        return Run(
            scenario=scenario,
            seconds=self.seconds,
            min_queries=self.min_queries,
            most_images=sizes.get(scenario, self.batch_size),
            longest_wait_ms=self.batch_wait_ms if scenario == SERVER else 0.0,
            latency_bound_ms=self.latency_bound_ms,
            seed=self.seed,
            queries_per_second=queries_per_second,
        )

    @property
    def command(self) -> str:
        words = [word for f in fields(self) for word in as_words(f.name, getattr(self, f.name))]
        return shlex.join(["python", "-m", "benchmarks", "load", *words])

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def split(text: str) -> list[str]:
    return [word for word in text.replace(" ", "").split(",") if word]


def _are_rates(text: str) -> bool:
    try:
        rates = [float(word) for word in split(text)]
    except ValueError:
        return False
    return bool(rates) and all(0 < rate <= MOST_QUERIES for rate in rates)
