"""Clients, a training run and a benchmark at once, and afterwards more questions than may wait."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, strftime
from typing import Any

from benchmarks.app_speed import ROOT, app_words, serving, training_run
from benchmarks.under_load.client import BUSY, Client, Outcome
from benchmarks.under_load.questions import Question, make_questions
from benchmarks.under_load.report import fairness, latency_ms, outcomes
from benchmarks.under_load.settings import UnderLoadSettings
from benchmarks.under_load.watch import Watch

BENCHMARK = ["throughput", "--batch-sizes", "1,32", "--threads", "1", "--processes", "1",
             "--rounds", "3", "--seconds", "1", "--gate-images", "64"]  # fmt: skip
BURST_SENDERS = 32


def measure(settings: UnderLoadSettings, data_folder: Path) -> dict[str, Any]:
    """The app in a process of its own, with a folder of runs of its own."""
    from benchmarks.throughput.running import describe_here

    questions = make_questions(settings.pictures, settings.model, settings.engine)
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as folder:
        own = ["--runs", folder, "--data", str(data_folder), "--engine", settings.engine]
        with serving([*app_words()[:-1], *own, "--port"]) as (url, process):
            began_at = strftime("%Y-%m-%dT%H:%M:%S")
            with training_run(Path(folder)), _benchmarking(settings, data_folder) as benchmarks:
                with Watch(process.pid) as watch:
                    told, seconds = _ask_all(url, settings, questions)
                done = benchmarks.copy()
            burst = _burst(Client(url, settings.model), questions, settings.burst)
    warm_up = min(settings.warm_up_seconds, seconds / 2)
    return {
        "benchmark": "under-load", "began_at": began_at, "settings": asdict(settings),
        "environment": describe_here(), "seconds": seconds, **outcomes(told),
        "latency_ms": latency_ms(told), "fairness": fairness(told),
        "benchmarks_finished": done.count(0), "benchmarks_failed": len(done) - done.count(0),
        **watch.to_dict(warm_up), "burst": burst,
    }  # fmt: skip


def _ask_all(
    url: str, settings: UnderLoadSettings, questions: list[Question]
) -> tuple[list[list[Outcome]], float]:
    """Each client's outcomes, and how long they asked."""
    began = perf_counter()

    def work(number: int) -> list[Outcome]:
        client = Client(url, settings.model)
        told: list[Outcome] = []
        for turn in count(number):
            if perf_counter() - began >= settings.seconds:
                return told
            told.append(client.ask(questions[turn % len(questions)]))
        return told

    with ThreadPoolExecutor(settings.clients) as pool:
        told = list(pool.map(work, range(settings.clients)))
    return told, perf_counter() - began


@contextmanager
def _benchmarking(settings: UnderLoadSettings, data_folder: Path) -> Iterator[list[int]]:
    """This kit's own benchmark of engines, again and again; the exit statuses so far."""
    words = [*BENCHMARK, "--models", settings.model, "--engines", settings.engine]
    command = [sys.executable, "-m", "benchmarks", *words, "--data-folder", str(data_folder)]
    ended, statuses = Event(), []

    def run() -> None:
        while not ended.is_set():
            with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
                while process.poll() is None and not ended.wait(0.2):
                    pass
                if process.poll() is None:
                    process.terminate()
                else:
                    statuses.append(process.returncode)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield statuses
    finally:
        ended.set()
        thread.join()


def _burst(client: Client, questions: list[Question], number: int) -> dict[str, Any]:
    """Put more questions than may wait; every one that was taken must still be answered."""
    uploaded = [_uploaded(client, question) for question in questions]

    def put(turn: int) -> tuple[Question, int, str]:
        at = turn % len(questions)
        return questions[at], *client.put(uploaded[at], len(questions[at].probabilities))

    with ThreadPoolExecutor(BURST_SENDERS) as pool:
        put_ones = list(pool.map(put, range(number)))
        taken = [(question, said) for question, status, said in put_ones if status == 200]
        refused = [(status, said) for _, status, said in put_ones if status != 200]
        kinds = Counter(pool.map(lambda each: _fetch(client, *each), taken))
    words = sorted({said for _, said in refused})
    return {
        "asked": number, "taken": len(taken), "answers": dict(kinds),
        BUSY: sum(status == 503 for status, _ in refused),
        "otherwise_refused": sum(status != 503 for status, _ in refused), "words": words[:1],
    }  # fmt: skip


def _uploaded(client: Client, question: Question) -> str:

    return str(json.loads(client.upload(question)[1])[0])


def _fetch(client: Client, question: Question, said: str) -> str:

    return client.answer(json.loads(said)["event_id"], question)[0]
