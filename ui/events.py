"""How the pages' own events travel to the server: options for Gradio's event listeners.

Gradio's queue answers through a stream that it closes when nothing is left to answer. An event
that leaves at that very moment can lose its answer; the page waits for it for good, and a timer
whose tick is still waited for never ticks again. What is quick is therefore answered in its own
request.
"""

from __future__ import annotations

from typing import Any

IN_TURN: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""Through the queue, one at a time: what takes seconds, yields more than once, or warns."""
AT_ONCE: dict[str, Any] = {**IN_TURN, "queue": False}
"""Answered in the request itself: looks at files, and clicks that only start or stop something."""
