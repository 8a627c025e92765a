"""What Gradio keeps of questions that are answered is forgotten, so that memory stays flat under load."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

LOOK_EVERY_SECONDS = 15.0
NO_STATISTICS = {
    "GRADIO_ANALYTICS_MAX_EVENTS": "1",
    "GRADIO_ANALYTICS_CACHE_FREQUENCY": str(2**31),
}


def keep_no_statistics() -> None:
    """Have Gradio's queue not count what nobody looks at; call it before the queue is made.

    It keeps a record of the last 10,000 questions, and after each answer makes a table of them
    all for a page that this app does not open: 10 ms of a core for an answer, when they are full.
    """
    for name, value in NO_STATISTICS.items():
        os.environ.setdefault(name, value)


@asynccontextmanager
async def forgetting(app: Any) -> AsyncIterator[None]:
    """A lifespan for Gradio's app: while it serves, answered sessions are forgotten.

    A call of the API that names no session makes one of its own. Of each, Gradio 6 keeps an empty
    queue of messages (the last 2,000) and an empty set of questions (for ever): 5 KB a call.
    """
    looking = asyncio.create_task(_look_again_and_again(app))
    try:
        yield
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _look_again_and_again(app: Any) -> None:
    answered: set[str] = set()
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        queue = app.get_blocks()._queue
        # Twice in a row: a page whose stream is about to end gets to its end.
        forget(queue, answered & find_answered(queue))
        answered = find_answered(queue)


def find_answered(queue: Any) -> set[str]:
    """Sessions with no question that waits, runs, or whose answer was not fetched yet.

    Those whose answers Gradio itself has dropped, as too many were never fetched, are among them.
    """
    messages, questions = queue.pending_messages_per_session, queue.pending_event_ids_session
    asking = {event.session_hash for event in queue.event_ids_to_events.values()}
    done = {name for name in questions if name not in messages}
    done |= {name for name in messages if not questions.get(name) and messages[name].empty()}
    return done - asking


def forget(queue: Any, sessions: Iterable[str]) -> None:
    """Drop what is held of them; a session that asks again is made anew."""
    for name in sessions:
        queue.pending_messages_per_session.pop(name, None)
        queue.pending_event_ids_session.pop(name, None)
