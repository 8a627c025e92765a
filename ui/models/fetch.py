"""Nets for photos that can be fetched, at the foot of the Models tab: asked first, left alone after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from resnet_core.errors import LabError
from ui.action_list import ActionList
from ui.events import AT_ONCE
from ui.html import render_problem
from ui.models import fetch_jobs
from ui.models.fetch_view import megabytes, offered, render_progress, render_question, render_table
from ui.seen import Seen, build_seen, marks

EVERY_SECONDS = 1.0
INTO_SIGHT = "() => document.querySelector('#fetch-question')?.scrollIntoView({block: 'nearest'})"


@dataclass(frozen=True)
class FetchPart:
    """What the frame wires: its timer, its button into Classify, and the net that is there now."""

    timer: gr.Timer
    use: gr.Button
    ready: gr.Textbox
    """The name of the model that the last fetch made; empty where it made none."""
    message: gr.HTML
    outputs: list[Any]
    seen: gr.JSON

    def opening(self) -> dict[str, Any]:
        """The arguments of an event that looks whatever was seen before."""
        return {"fn": lambda: _look(None), "outputs": self.outputs, **AT_ONCE}


def build_fetch() -> FetchPart:
    """Lay the part out, folded, then wire it."""
    with gr.Accordion("Nets for photos, trained on ImageNet", open=False, elem_id="photo-nets"):
        gr.HTML(
            '<p class="lab-note">They tell a thousand things apart. Each is fetched once, checked, '
            "and then works without a network.</p>"
        )
        table = ActionList(elem_id="fetch-table")
        asked = gr.State(None)
        with gr.Column(visible=False, elem_id="fetch-question") as question:
            about = gr.HTML()
            with gr.Row():
                yes = gr.Button("Fetch", variant="primary", elem_id="fetch-yes", min_width=130)
                no = gr.Button("Not now", elem_id="fetch-no", min_width=100)
        progress = gr.HTML(elem_id="fetch-progress")
        with gr.Row():
            use = gr.Button(
                "Use in Classify", variant="primary", visible=False, elem_id="fetch-use"
            )
            cancel = gr.Button("Cancel", visible=False, elem_id="fetch-cancel")
        message = gr.HTML()
    timer = gr.Timer(EVERY_SECONDS, active=False)
    # Kept by the page: a change of it is an event of the page's.
    ready, seen = gr.Textbox("", visible="hidden", elem_id="fetch-ready"), build_seen()
    part = FetchPart(timer, use, ready, message, [table, progress, use, cancel, ready, seen], seen)
    asking = [asked, question, about, yes, message]
    table.click(_ask, None, asking, **AT_ONCE).then(None, js=INTO_SIGHT)
    no.click(_hide, None, asking, **AT_ONCE)
    yes.click(_start, asked, asking, **AT_ONCE).then(**part.opening())
    cancel.click(fetch_jobs.stop, None, None, **AT_ONCE).then(**part.opening())
    timer.tick(_look, seen, part.outputs, **AT_ONCE)
    return part


def _look(seen: Seen) -> list[Any]:
    """What the fetch has come to, if it is not on the page already."""
    now = fetch_jobs.progress()
    table, progress = render_table(fetch_jobs.places(), now), render_progress(now)
    is_running = now is not None and now.is_running
    arrived = now is not None and now.is_here and not is_running
    ready = now.weights.model_name if now is not None and arrived else ""
    found = marks(table, progress, is_running, ready)
    if seen == found:
        return [gr.skip()] * 6
    return [
        table, progress, gr.update(visible=arrived), gr.update(visible=is_running), ready, found,
    ]  # fmt: skip


def _ask(event: gr.EventData) -> list[Any]:
    weights = offered(event.row)
    if weights is None:
        return _hide()
    text = render_question(weights, fetch_jobs.places())
    button = gr.update(value=f"Fetch {megabytes(weights)}")
    return [weights.net, gr.update(visible=True), text, button, ""]


def _hide() -> list[Any]:
    return [None, gr.update(visible=False), "", gr.skip(), ""]


def _start(net: str | None) -> list[Any]:
    weights = offered(net)
    hidden = _hide()
    if weights is None:
        return hidden
    try:
        fetch_jobs.start(weights)
    except (LabError, OSError) as error:
        return [*hidden[:-1], render_problem(str(error))]
    return hidden
