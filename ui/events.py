"""How the pages' own events travel to the server: options for Gradio's event listeners.

Gradio's queue answers through a stream that it closes when nothing is left to answer. An event
that leaves at that very moment can lose its answer; the page waits for it for good, and a timer
whose tick is still waited for never ticks again. What is quick is therefore answered in its own
request.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

IN_TURN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""Through the queue, one at a time: what takes seconds, yields more than once, or warns."""
AT_ONCE: dict[str, Any] = {**IN_TURN, "queue": False}
"""Answered in the request itself: looks at files, and clicks that only start or stop something."""


SETTLE_MS = 50


def settled(name: str) -> dict[str, Any]:
    """Options for a listener that only the last of a burst of changes may reach.

    Filling in a form changes many fields at once, and each tells the listener. Gradio's
    `always_last` lets all of them leave while none has left yet, and their answers can overtake
    each other: an older one would stay. The page therefore waits until nothing changed for
    `SETTLE_MS`, then sends what is there; while an answer is awaited, `always_last` does the rest.

    Args:
        name: tells this listener's bursts from the others' on the page.
    """
    wait = (
        "(...sent) => new Promise(send => { const waits = window.labWaits ??= {}; "
        f"clearTimeout(waits[{name!r}]); waits[{name!r}] = setTimeout(() => send(sent), {SETTLE_MS}) }})"
    )
    return {**AT_ONCE, "trigger_mode": "always_last", "js": wait}


def turning(active: Sequence[bool]) -> dict[str, Any]:
    """Options for a listener that starts and stops timers, in the page alone.

    Were the server asked, the answer to the tab opened first could arrive after that to the tab
    opened next, and leave the timer of the tab in sight standing.

    Args:
        active: for each of the listener's outputs, whether it is to tick.
    """
    updates = [{"__type__": "update", "active": each} for each in active]
    return {"fn": None, "inputs": None, "js": f"() => {json.dumps(updates)}", **AT_ONCE}
