"""Puts the scenarios to one engine, each run in its process, and gives a row a run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.load.logs import PERCENTILES
from benchmarks.load.scenarios import OFFLINE, SERVER, Run
from benchmarks.load.settings import LoadSettings, split
from benchmarks.load.stored import Row
from benchmarks.throughput.cases import Setup
from benchmarks.throughput.measure import MOST_REPEATS, Worker
from benchmarks.throughput.probe import LoadProbe
from resnet_core.errors import LabError

SHORT_SECONDS = 1.0
LADDER = (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1)
"""Shares of the images a second that a short offline run gives."""
NO_FIGURES = {
    "achieved_queries_per_second": None,
    "achieved_images_per_second": None,
    **{f"p{number}_ms": None for number in PERCENTILES},
    "samples": 0,
    "saturated": None,
    "mean_images_per_call": None,
    "agreement_percent": None,
    "valid": False,
}


@dataclass
class Seat:
    """An engine's process, started when it is needed and anew after it ended."""

    setup: Setup
    folder: Path
    """Holds `images.npy`, `expected.npy` and a run's logs."""
    name: str = ""
    _worker: Worker | None = field(default=None)

    def ask(self, run: Run) -> Row:
        """One run.

        Raises:
            LabError: the engine can't be opened, or failed; its process is gone.
        """
        logs = self.folder / "logs"
        shutil.rmtree(logs, ignore_errors=True)
        logs.mkdir()
        try:
            if self._worker is None:
                self._worker = self._open()
            return self._worker.ask({"run": asdict(run), "logs": str(logs)})
        except LabError:
            self.close()
            raise

    def _open(self) -> Worker:
        files = {key: str(self.folder / f"{key}.npy") for key in ("images", "expected")}
        worker = Worker(self.setup, "benchmarks.load.worker", None, **files).until_open()
        self.name = worker.name
        return worker

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._worker = None


def measure(setup: Setup, settings: LoadSettings, folder: Path, probe: LoadProbe) -> Iterator[Row]:
    """A row for every run; without figures, and with the reason, where there are none.

    Args:
        folder: holds `images.npy`, (N, size, size, 3) uint8, and `expected.npy`, the class that
            the reference gives each, (N,).
    """
    obstacle = obstacle_of(setup)
    seat = Seat(setup, folder)
    try:
        for scenario in split(settings.scenarios):
            if obstacle:
                yield _row(seat, settings.run(scenario), NO_FIGURES | {"reason": obstacle})
            elif scenario == SERVER:
                yield from _sweep(seat, settings, probe)
            else:
                yield _measure_once(seat, settings.run(scenario), probe)
    finally:
        seat.close()


def obstacle_of(setup: Setup) -> str:
    """What keeps the engine from being used here, with the line that mends it; empty if nothing."""
    obstacle = setup.choice.obstacle
    if obstacle is None:
        return ""
    return f"{obstacle.reason} ({obstacle.install})" if obstacle.install else obstacle.reason


def _sweep(seat: Seat, settings: LoadSettings, probe: LoadProbe) -> Iterator[Row]:
    """The server at every load, lowest first, up to the one that it can't keep up with."""
    try:
        loads = settings.loads or _ladder(seat, settings)
    except LabError as error:
        yield _row(seat, settings.run(SERVER), NO_FIGURES | {"reason": str(error)})
        return
    saturated_at = None
    for load in loads:
        run = settings.run(SERVER, load)
        if saturated_at is not None:
            reason = f"not tried: it could not keep up with {saturated_at:g} queries/s"
            yield _row(seat, run, NO_FIGURES | {"reason": reason})
            continue
        row = _measure_until_sure(seat, run, probe)
        if row["saturated"]:
            saturated_at = load
        yield row


def _measure_until_sure(seat: Seat, run: Run, probe: LoadProbe) -> Row:
    """One run; again where it may have been something else that kept the server from keeping up."""
    for _ in range(MOST_REPEATS):
        row = _measure_once(seat, run, probe)
        if not (row["saturated"] and row["disturbed"]):
            break
    return row


def _ladder(seat: Seat, settings: LoadSettings) -> Sequence[float]:
    """Loads around what a short offline run gives, to two digits."""
    short = replace(settings.run(OFFLINE), seconds=SHORT_SECONDS, min_queries=1)
    most = seat.ask(short)["achieved_images_per_second"]
    return sorted({float(f"{share * most:.2g}") for share in LADDER})


def _measure_once(seat: Seat, run: Run, probe: LoadProbe) -> Row:
    was_quiet = probe.is_quiet()
    try:
        figures = seat.ask(run)
    except LabError as error:
        return _row(seat, run, NO_FIGURES | {"reason": str(error)})
    return _row(seat, run, figures | {"disturbed": not (was_quiet and probe.is_quiet())})


def _row(seat: Seat, run: Run, figures: Row) -> Row:
    about = {
        "scenario": run.scenario,
        **seat.setup.to_dict(),
        "runs": seat.name,
        "offered_queries_per_second": run.queries_per_second,
        "images_per_query": None if run.scenario == OFFLINE else run.images_per_query,
        "latency_bound_ms": run.latency_bound_ms if run.scenario == SERVER else None,
        "batching": {
            "most_images": run.most_images,
            "longest_wait_ms": run.longest_wait_ms,
            "mean_images": figures["mean_images_per_call"],
        },
        "disturbed": False,
    }
    return about | {key: figures[key] for key in figures if key != "mean_images_per_call"}
