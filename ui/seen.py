"""What a page shows already, kept by the page itself: nothing is drawn twice, nothing is missed.

Answers can overtake each other on their way to the browser. Were this kept on the server, an old
answer that arrives last would stay on the page while the server believes it to be new. Here it
arrives together with what it describes, so the next look always tells the two apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

import gradio as gr

Seen = Sequence[str] | None
"""A mark for each part of what is shown; None where nothing is."""


def build_seen() -> gr.JSON:
    """The page's own memory, out of sight: an input and an output of every look."""
    return gr.JSON(None, visible="hidden")


def marks(*parts: object) -> list[str]:
    """A short mark for each part; alike only where the parts are."""
    return [sha256(repr(part).encode()).hexdigest()[:16] for part in parts]
