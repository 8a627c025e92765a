"""Measures engines in turn: a gate on their answers first, then rounds, each between load probes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.throughput.cases import Setup
from benchmarks.throughput.probe import LoadProbe
from benchmarks.throughput.settings import Method
from benchmarks.throughput.stored import WITHOUT_COPIES, spread_fields
from benchmarks.throughput.summary import rate_of
from export.latency import percentiles
from resnet_core.errors import LabError

ROOT = Path(__file__).resolve().parents[2]
WORKER = "benchmarks.throughput.worker"
MOST_REPEATS = 3
"""Times that a disturbed round is measured again before it is kept, and said to be disturbed."""
END_LIMIT_SECONDS = 10


class Worker:
    """The process of one setup, asked a line at a time."""

    def __init__(
        self,
        setup: Setup,
        module: str = WORKER,
        variables: Mapping[str, str] | None = None,
        **more: Any,
    ):
        """Start it.

        Args:
            module: what runs there.
            variables: of its environment, besides this process's.
            more: goes into the first line that it is told.
        """
        self.setup = setup
        threads = {"OMP_NUM_THREADS": str(setup.threads)} if setup.threads else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=os.environ | threads | dict(variables or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # An interrupt from the keyboard is for the one who asks; his end closes our input.
            start_new_session=True,
        )
        self._tell(setup.to_dict() | {"threads": setup.threads} | more)

    def until_open(self) -> Worker:
        """Wait until it holds the model; nothing else may be asked of it before.

        Raises:
            LabError: the engine can't open it, with its reason.
        """
        told = self._hear()
        self.name: str = told["name"]
        self.input_size: int = told["input_size"]
        self.holds: bool = told.get("holds", False)
        """Whether it can answer images that stay on its device."""
        return self

    def ask(self, what: dict[str, Any]) -> dict[str, Any]:
        """One request, one answer.

        Raises:
            LabError: the engine can't do it, with its reason.
        """
        self._tell(what)
        return self._hear()

    def _tell(self, what: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(OSError):  # a process that has ended: what is heard next says so
            self._process.stdin.write(json.dumps(what) + "\n")
            self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise LabError(f"its process ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise LabError(answer["error"])
        return answer

    def classes(self, images: Path, **how: int) -> NDArray[np.int64]:
        """The class of each image in a `.npy` file, (N,).

        Args:
            how: `batch_size` of one call and `count` of images, where not all are asked.
        """
        return np.array(self.ask({"images": str(images), **how})["classes"])

    def let_go(self) -> None:
        """Tell it that nothing more is asked, at which it ends."""
        with suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()

    def close(self) -> None:
        self.let_go()
        try:
            self._process.wait(END_LIMIT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


@dataclass
class Result:
    """What one setup has given so far."""

    setup: Setup
    name: str = ""
    agreement_percent: float | None = None
    reason: str = ""
    """Why there are no figures, or why they don't count; empty where they do."""
    install: str = ""
    """The line that mends it, where one does."""
    test_error_percent: float | None = None
    """Of this engine's own answers; None where not all test images were put to it."""
    start: int = 0
    """How often its process has been started."""
    rates: dict[int, list[float]] = field(default_factory=dict)
    """Images a second of each round, by batch size."""
    held_rates: dict[int, list[float]] = field(default_factory=dict)
    """The same without copies to and from a device, where there is one."""
    starts: dict[int, list[int]] = field(default_factory=dict)
    """The start, from 1, in which each of these rounds was measured."""
    latencies_ms: dict[int, list[float]] = field(default_factory=dict)
    disturbed: dict[int, int] = field(default_factory=dict)
    """Rounds that something else disturbed, however often they were measured: with copies, without
    them or both."""

    @property
    def is_valid(self) -> bool:
        return not self.reason

    def rows(self, batch_sizes: Sequence[int]) -> list[dict[str, Any]]:
        """A flat row a batch size; without figures where the answers were wrong or missing."""
        return [self._row(batch) for batch in batch_sizes]

    def _row(self, batch: int) -> dict[str, Any]:
        row: dict[str, Any] = {
            **self.setup.to_dict(),
            "batch_size": batch,
            "runs": self.name,
            "agreement_percent": self.agreement_percent,
            "test_error_percent": self.test_error_percent,
            "valid": self.is_valid,
            "reason": self.reason or None,
            "install": self.install or None,
        }
        rates = self.rates.get(batch, [])
        if not self.is_valid or not rates:
            return row | {"images_per_second": None}
        starts = self.starts[batch][: len(rates)]
        return row | {
            "images_per_second": rate_of(rates, starts),
            **spread_fields(rates, starts),
            "rounds": len(rates),
            "disturbed_rounds": self.disturbed.get(batch, 0),
            "rates": [float(f"{rate:.6g}") for rate in rates],
            "starts": starts,
            **percentiles(self.latencies_ms[batch]),
            **self._without_copies(batch),
        }

    def _without_copies(self, batch: int) -> dict[str, Any]:
        if not (rates := self.held_rates.get(batch)):
            return {}
        starts = self.starts[batch][: len(rates)]
        spread = spread_fields(rates, starts, WITHOUT_COPIES)
        return {WITHOUT_COPIES: rate_of(rates, starts), **spread}


@contextmanager
def workers(results: Sequence[Result]) -> Iterator[list[tuple[Result, Worker]]]:
    """A process for each setup that can be opened; the others' results say why not.

    They open side by side, as most of that is one core's work, but for those that time kernels
    meanwhile: each of them has the machine for itself.
    """
    groups: list[list[Result]] = [[]]
    for result in results:
        if result.is_valid and result.setup.choice.engine.opens_alone:
            groups.append([result])
        elif result.is_valid:
            groups[0].append(result)
    with ExitStack() as stack:
        opened = [pair for group in groups for pair in _open(group, stack)]
        yield opened
        for _, worker in opened:  # all end side by side before each is waited for
            worker.let_go()


def _open(results: Sequence[Result], stack: ExitStack) -> list[tuple[Result, Worker]]:
    """Processes for some setups, opening at the same time; the stack closes them."""
    started = [(result, Worker(result.setup)) for result in results]
    for _, worker in started:
        stack.callback(worker.close)
    opened = []
    for result, worker in started:
        try:
            result.name = worker.until_open().name
        except LabError as error:
            result.reason = str(error)
            continue
        result.start += 1
        opened.append((result, worker))
    return opened


def measure(
    opened: Sequence[tuple[Result, Worker]], method: Method, probe: LoadProbe
) -> Iterator[str]:
    """Rounds over all setups in turn; yields a line for each case measured."""
    for batch in method.batch_sizes:
        for number in range(method.rounds):
            for result, worker in opened:
                if result.is_valid:
                    _measure_once(result, worker, batch, method.seconds, number == 0, probe)
                    yield f"{result.setup.choice.key}, batch {batch}, round {number + 1}"


def _measure_once(
    result: Result, worker: Worker, batch: int, seconds: float, warm: bool, probe: LoadProbe
) -> None:
    asked = {"batch_size": batch, "seconds": seconds, "warm": warm}
    try:
        told, was_quiet = _ask_in_quiet(worker, asked, probe)
        held = None
        if worker.holds:
            held, held_was_quiet = _ask_in_quiet(worker, asked | {"held": True}, probe)
            was_quiet = was_quiet and held_was_quiet
    except LabError as error:
        result.reason = str(error)
        return
    if not was_quiet:
        result.disturbed[batch] = result.disturbed.get(batch, 0) + 1
    # The latencies first: who is interrupted in between has no rate without them.
    result.latencies_ms.setdefault(batch, []).extend(1000 * value for value in told["latencies"])
    result.starts.setdefault(batch, []).append(result.start)
    result.rates.setdefault(batch, []).append(_rate(batch, told))
    if held:
        result.held_rates.setdefault(batch, []).append(_rate(batch, held))


def _ask_in_quiet(
    worker: Worker, asked: dict[str, Any], probe: LoadProbe
) -> tuple[dict[str, Any], bool]:
    """What a worker told, and whether nothing disturbed it; the last of some times, else."""
    for _ in range(MOST_REPEATS):
        was_quiet = probe.is_quiet()
        told = worker.ask(asked)
        if was_quiet and probe.is_quiet():
            return told, True
    return told, False


def _rate(batch: int, told: dict[str, Any]) -> float:
    return batch * len(told["latencies"]) / float(told["seconds"])
