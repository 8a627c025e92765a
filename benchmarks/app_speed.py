"""The app against the least a Gradio app can be, and against itself while a net trains.

Each rival is a process of its own on this machine; rounds alternate.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, sleep
from typing import Any

from benchmarks.rounds import Comparison
from resnet_core.errors import LabError
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.training.recipes import MOST_EPOCHS

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "ui" / "classify" / "examples" / "ship.jpg"
ONE_LINE_APP = (
    "import gradio as gr, sys; "
    "gr.Interface(lambda image: image, gr.Image(type='filepath'), gr.Image(), api_name='echo')"
    ".launch(server_port=int(sys.argv[1]), quiet=True)"
)
REQUESTS_A_ROUND = 15
REQUESTS_FOR_P95 = 100
UNTIMED_REQUESTS = 10
# As long as a run can be: on a fast machine a recipe's own epochs are over within seconds.
BUSY_RUN = ["--model", "resnet20_v1", "--data", "shapes", "--recipe", "fast", "--compile", "off",
            "--epochs", str(MOST_EPOCHS)]  # fmt: skip
START_LIMIT_SECONDS = 120


def compare_start(rounds: int) -> dict[str, Any]:
    """Seconds from starting the process to its page being served, ours over the one-liner's."""
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(rounds):
        for words, seconds in ((app_words(), ours), (one_line_words(), theirs)):
            began = perf_counter()
            with served(words):
                seconds.append(perf_counter() - began)
    return {"benchmark": "start", **Comparison(tuple(ours), tuple(theirs)).to_dict("seconds")}


def compare_request(rounds: int) -> dict[str, Any]:
    """Milliseconds of `/classify` over HTTP against an endpoint that only returns its image."""
    from gradio_client import Client, handle_file

    with served(app_words()) as our_url, served(one_line_words()) as their_url:
        app, echo = Client(our_url, verbose=False), Client(their_url, verbose=False)
        picture = handle_file(PICTURE)

        def classify() -> None:
            app.predict(image=picture, api_name="/classify")

        def return_image() -> None:
            echo.predict(image=picture, api_name="/echo")

        classify()
        return_image()
        ours, theirs = [], []
        for _ in range(rounds):
            ours.append(_median_ms(classify))
            theirs.append(_median_ms(return_image))
    return {"benchmark": "request", **Comparison(tuple(ours), tuple(theirs)).to_dict("ms")}


def compare_busy(rounds: int) -> dict[str, Any]:
    """95th percentile of `/classify` while a net trains in the background, over that when idle."""
    from gradio_client import Client, handle_file

    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as folder:
        runs = Path(folder)
        with served([*app_words()[:-1], "--runs", folder, "--port"]) as url:
            app, picture = Client(url, verbose=False), handle_file(PICTURE)

            def classify() -> None:
                app.predict(image=picture, api_name="/classify")

            for _ in range(UNTIMED_REQUESTS):
                classify()
            busy, idle = [], []
            for _ in range(rounds):
                idle.append(_p95_ms(classify))
                with training_run(runs):
                    busy.append(_p95_ms(classify))
    return {"benchmark": "busy", **Comparison(tuple(busy), tuple(idle)).to_dict("ms")}


@contextmanager
def training_run(runs: Path) -> Iterator[None]:
    """A net that trains as the app's Start button makes it, from its first steps until here.

    Raises:
        LabError: it did not begin, or had ended before it was stopped here.
    """
    words = ["train", *BUSY_RUN, "--queue", "--json", "--runs", str(runs)]
    command = [sys.executable, "-m", "resnet_core", *words]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    folder = RunFolder(runs / json.loads(said.stdout)["run"])
    try:
        _wait_for_steps(folder)
        yield
        if (state := folder.state()) is not RunState.RUNNING:
            raise LabError(
                f"{folder.name}, which was to train beside what was measured, was {state.value} "
                "before the end: these figures are not those of a busy machine. Measure again."
            )
    finally:  # whatever went wrong: by itself it would not end
        folder.request_stop()
        while folder.process_id() is not None:
            sleep(0.1)


def _wait_for_steps(folder: RunFolder) -> None:
    deadline = perf_counter() + START_LIMIT_SECONDS
    while not any(event["event"] == "step" for event in folder.events()):
        if perf_counter() > deadline:
            raise LabError(f"{folder.name} did not train in {START_LIMIT_SECONDS} seconds.")
        sleep(0.1)


def _times_ms(call: Any, requests: int) -> list[float]:
    times = []
    for _ in range(requests):
        began = perf_counter()
        call()
        times.append(1000 * (perf_counter() - began))
    return times


def _median_ms(call: Any) -> float:
    return median(_times_ms(call, REQUESTS_A_ROUND))


def _p95_ms(call: Any) -> float:
    return quantiles(_times_ms(call, REQUESTS_FOR_P95), n=20)[-1]


def app_words() -> list[str]:
    return [sys.executable, "app.py", "--no-browser", "--port"]


def one_line_words() -> list[str]:
    return [sys.executable, "-c", ONE_LINE_APP]


@contextmanager
def served(words: list[str]) -> Iterator[str]:
    """Start a server process on a free port, wait for its page, give its address, end it.

    Raises:
        LabError: the process ended, or served nothing in two minutes.
    """
    with serving(words) as (url, _):
        yield url


@contextmanager
def serving(words: list[str]) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`served`, with the process as well."""
    port = _free_port()
    url = f"http://127.0.0.1:{port}/"
    process = subprocess.Popen([*words, str(port)], cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        _wait_for(url, process)
        yield url, process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = perf_counter() + START_LIMIT_SECONDS
    while perf_counter() < deadline:
        if process.poll() is not None:
            raise LabError(f"The server ended with status {process.returncode} before it served.")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                answer.read()
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            sleep(0.02)
    raise LabError(f"{url} served nothing in {START_LIMIT_SECONDS} seconds.")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
