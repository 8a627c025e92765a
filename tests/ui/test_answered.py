"""What the app still holds of questions that are answered, asked over HTTP."""

from __future__ import annotations

import json
import os
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
import pytest

from ui import answered
from ui.layout import while_serving

SOON_SECONDS = 0.05
PATIENCE_SECONDS = 30.0


@dataclass
class Served:
    """A small app behind the same lifespan: it doubles, and takes its time over a zero."""

    url: str = ""
    queue: Any = None
    let_go: threading.Event = field(default_factory=threading.Event)

    def double(self, number: float) -> float:
        if number == 0:
            self.let_go.wait(PATIENCE_SECONDS)
        return 2 * number

    def ask(self, number: float) -> str:
        body = json.dumps({"data": [number]}).encode()
        request = urllib.request.Request(
            f"{self.url}gradio_api/call/double", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as reply:
            return json.load(reply)["event_id"]

    def fetch(self, event: str) -> float:
        address = f"{self.url}gradio_api/call/double/{event}"
        with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as reply:
            lines = reply.read().decode().splitlines()
        return json.loads(next(line for line in lines if line.startswith("data: "))[6:])[0]

    @property
    def held(self) -> set[str]:
        queue = self.queue
        return {*queue.pending_messages_per_session, *queue.pending_event_ids_session}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(answered, "LOOK_EVERY_SECONDS", SOON_SECONDS)
    monkeypatch.setattr(os, "environ", dict(os.environ))  # what is set in it stays here
    answered.keep_no_statistics()
    it = Served()
    with gr.Blocks(analytics_enabled=False) as app:
        number = gr.Number()
        number.submit(it.double, number, number, api_name="double")
    app.queue()
    _, it.url, _ = app.launch(
        prevent_thread_lock=True, quiet=True, ssr_mode=False, _frontend=False,
        app_kwargs={"lifespan": while_serving(is_exposed=False)},
    )  # fmt: skip
    it.queue = app._queue
    yield it
    it.let_go.set()
    app.close(verbose=False)


def wait_until(seen: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not seen():
        assert time.monotonic() < end
        time.sleep(SOON_SECONDS)


def test_answered_questions_are_forgotten(served: Served) -> None:
    assert [served.fetch(served.ask(each)) for each in range(1, 9)] == [*range(2, 17, 2)]
    wait_until(lambda: not served.held)


def test_an_answer_is_kept_until_it_is_fetched(served: Served) -> None:
    late = served.ask(5)
    served.fetch(served.ask(1))
    wait_until(lambda: served.held == {late})  # the looks go on around it
    time.sleep(4 * SOON_SECONDS)
    assert served.fetch(late) == 10
    wait_until(lambda: not served.held)


def test_a_question_that_runs_is_not_forgotten(served: Served) -> None:
    slow = served.ask(0)
    time.sleep(6 * SOON_SECONDS)
    assert slow in served.held
    served.let_go.set()
    assert served.fetch(slow) == 0


def test_what_gradio_has_dropped_is_forgotten(served: Served) -> None:
    """Of answers never fetched it keeps the last 2,000, and the names of all."""
    served.queue.pending_messages_per_session.max_size = 4
    asked = [served.ask(each) for each in range(1, 9)]
    wait_until(lambda: len(served.held) == 4)
    assert served.held == set(asked[-4:])


def test_no_table_is_made_of_what_was_answered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[int] = []
    make = served.queue._get_df
    monkeypatch.setattr(
        served.queue, "_get_df", lambda rows: tables.append(len(rows)) or make(rows)
    )
    assert [served.fetch(served.ask(each)) for each in (1, 2, 3)] == [2, 4, 6]
    assert tables == [] and len(served.queue.event_analytics) == 1
