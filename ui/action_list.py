"""A list drawn as HTML whose buttons say which row they belong to."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

# One listener on the list itself: rows come and go.
SCRIPT = """element.addEventListener("click", event => {
  const button = event.target.closest("button[data-action]");
  if (button) trigger("click", { action: button.dataset.action, row: button.dataset.row });
});"""


class ActionList(gr.HTML):  # type: ignore[misc]
    """HTML with buttons made by `action_button`; `click` events carry `action` and `row`."""

    def __init__(self, value: str = "", **options: Any):
        super().__init__(value, js_on_load=SCRIPT, apply_default_css=False, **options)


def action_button(text: str, action: str, row: str, label: str = "") -> str:
    """A button of a row; `label` is what a screen reader says where the text is a symbol."""
    spoken = f' aria-label="{escape(label)}" title="{escape(label)}"' if label else ""
    return (
        f'<button type="button" class="lab-action" data-action="{escape(action)}" '
        f'data-row="{escape(row)}"{spoken}>{escape(text)}</button>'
    )
