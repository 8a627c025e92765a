"""The Speed tab: which engine answers fastest, on this machine and on others.

The page only reads files: what ships, or what a process that it started is writing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.events import AT_ONCE
from ui.figure import LiveFigure
from ui.html import render_busy
from ui.seen import build_seen
from ui.speed import jobs
from ui.speed.bounds import build_speed_bounds
from ui.speed.form import SpeedForm, build_speed_form, offered_models, start_measuring
from ui.speed.look import NOTHING_ELSE, look
from ui.speed.planner import Planner, build_planner

LOOK_EVERY_SECONDS = 2.0
LEAD = (
    "Which engine answers fastest, and what does a lower error cost? The same nets on every engine, "
    "their answers checked before their speed."
)
BATCHES = [("at its best batch", "best"), ("one at a time", "1")]


@dataclass(frozen=True)
class SpeedPanel:
    """What a look at a result fills."""

    picked: gr.Dropdown
    seen: gr.JSON
    progress: gr.HTML
    stop: gr.Button
    found: gr.Column
    model: gr.Radio
    threads: gr.Radio
    batch: gr.Radio
    figures: list[LiveFigure]
    marks: gr.HTML
    machine: gr.HTML
    rows: gr.HTML
    downloads: list[gr.DownloadButton]
    against: gr.Dropdown
    comparison: gr.HTML

    @property
    def chosen(self) -> list[gr.components.Component]:
        """What of a result is shown."""
        return [self.model, self.threads, self.batch, self.against]

    @property
    def inputs(self) -> list[Any]:
        return [self.picked, self.seen, *self.chosen]

    @property
    def outputs(self) -> list[Any]:
        """In the order in which `look` gives their values."""
        return [
            self.picked, self.seen, self.progress, self.stop, self.found, self.model, self.threads,
            *self.figures, self.marks, self.machine, self.rows, *self.downloads, self.against, self.comparison,
        ]  # fmt: skip


@dataclass(frozen=True)
class SpeedTab:
    """What the layout wires: looking while the tab is open."""

    timer: gr.Timer
    form: SpeedForm
    planner: Planner

    def opening(self) -> dict[str, Any]:
        """The arguments of the event with which the tab comes into sight: new runs are offered."""
        return {
            "fn": lambda: gr.update(choices=offered_models()), "inputs": None,
            "outputs": self.form.models, **AT_ONCE,
        }  # fmt: skip


def build_speed_tab() -> SpeedTab:
    """Lay the tab out, then wire it. The timer looks at the result while the tab is open."""
    gr.Markdown(LEAD, elem_classes="lab-lead")
    panel = _lay_out()
    timer = gr.Timer(LOOK_EVERY_SECONDS, active=False)
    planner = build_planner(timer)
    build_speed_bounds(panel.picked)
    form = build_speed_form()
    again = {
        "fn": lambda picked, seen, *rest: look(picked, None, *rest),
        "inputs": panel.inputs, "outputs": panel.outputs, **AT_ONCE,
    }  # fmt: skip
    timer.tick(look, panel.inputs, panel.outputs, **AT_ONCE)
    for part in (panel.picked, *panel.chosen):
        part.input(look, panel.inputs, panel.outputs, **AT_ONCE)
    panel.stop.click(jobs.stop, None, None, **AT_ONCE).then(**again)
    form.start.click(start_measuring, form.inputs, [form.said, panel.picked], **AT_ONCE).then(
        **again
    )
    return SpeedTab(timer, form, planner)


def _lay_out() -> SpeedPanel:
    picked = gr.Dropdown([], label="Result", elem_id="speed", allow_custom_value=True)
    with gr.Row():
        progress = gr.HTML(render_busy("Reading the results"), elem_id="speed-progress")
        stop = gr.Button("Stop", elem_id="speed-stop", visible=False, min_width=100, scale=0)
    # Hidden, not absent: a figure that mounts while its first value arrives can miss it.
    with gr.Column(visible="hidden") as found:
        with gr.Row():
            model = gr.Radio([], label="Model", elem_id="speed-model", scale=5)
            threads = gr.Radio([], label="Threads", elem_id="speed-of-threads", scale=2)
        with gr.Row():
            by_batch = _figure("batch", 7, 400)
            latency = _figure("latency", 5, 400)
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=340):
                batch = gr.Radio(
                    BATCHES, value="best", label="Each engine", elem_id="speed-at", container=False
                )
                front = LiveFigure(height=400, elem_id="speed-front")
                marks = gr.HTML("", elem_id="speed-marks")
            with gr.Column(scale=5, min_width=320):
                machine = gr.HTML("", elem_id="speed-machine")
        with gr.Accordion(
            "Every case as a table, and files to keep", open=False, elem_id="speed-table"
        ):
            rows = gr.HTML("")
            with gr.Row():
                downloads = [
                    gr.DownloadButton(title, interactive=False, elem_id=f"speed-{kind}")
                    for title, kind in (
                        ("Table as CSV", "csv"),
                        ("Report as one HTML file", "html"),
                    )
                ]
        with gr.Accordion("Compare with another result", open=False, elem_id="speed-compare"):
            against = gr.Dropdown(
                [NOTHING_ELSE], value="", label="First, which this is compared with",
                elem_id="speed-against",
            )  # fmt: skip
            comparison = gr.HTML("", elem_id="speed-comparison")
    return SpeedPanel(
        picked, build_seen(), progress, stop, found, model, threads, batch,
        [by_batch, latency, front], marks, machine, rows, downloads, against, comparison,
    )  # fmt: skip


def _figure(name: str, scale: int, height: int) -> LiveFigure:
    with gr.Column(scale=scale, min_width=340):
        return LiveFigure(height=height, elem_id=f"speed-{name}")
