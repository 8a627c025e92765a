"""The app gets nothing from other addresses on a caller's behalf, private or public."""

from __future__ import annotations

from typing import Any, NoReturn

import gradio as gr
from gradio import processing_utils

from ui.door.rules import FETCH_WORDS


async def _refuse(url: str) -> NoReturn:
    raise gr.Error(FETCH_WORDS, print_exception=False)


def stop_fetching() -> None:
    """A file that a caller names by a URL is refused.

    Gradio would download it to this machine, and has no option against it. It is one function
    that every such download goes through.
    """
    vars(processing_utils)["async_ssrf_protected_get"] = _refuse


def is_fetching() -> bool:
    """Whether Gradio would still download."""
    get: Any = processing_utils.async_ssrf_protected_get
    return get is not _refuse
