"""Why it happens: five looks inside the nets, from stored results or computed while one watches.

The page only reads files: what ships, or what a process that it started is writing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from benchmarks.why.settings import ANALYSES, LandscapeSettings, Settings, default_settings
from resnet_core.errors import LabError
from ui.events import AT_ONCE
from ui.figure import LiveFigure
from ui.html import render_command, render_problem
from ui.seen import build_seen
from ui.why import jobs
from ui.why.look import COMPUTED, FROM_ABOVE, IN_3D, SHIPPED, View, looker, opener, ticker
from ui.why.surgery import build_operating_table
from ui.why.training import build_training_gradients
from ui.why.view import LEADS, SOURCES, TITLES

LOOK_EVERY_SECONDS = 1.5
FIGURES = {"gradients": 2, "surgery": 2, "landscape": 2, "responses": 1, "ensemble": 1}
HEIGHTS = {"gradients": 300, "surgery": 320, "landscape": 360, "responses": 300, "ensemble": 320}


@dataclass(frozen=True)
class WhySection:
    """What the tab that holds the section wires: looking while it is open."""

    timer: gr.Timer
    views: list[View]
    current: gr.Radio
    operated: gr.Dropdown

    def opening(self) -> dict[str, Any]:
        """The arguments of the event with which the section comes into sight."""
        pickers = [view.picked for view in self.views]
        shown = [output for view in self.views for output in view.outputs]
        return {
            "fn": opener(self.views),
            "inputs": [self.current, self.operated],
            "outputs": [self.operated, *pickers, *shown],
            **AT_ONCE,
        }


def build_why() -> WhySection:
    """Lay the section out, then wire it. It looks at its files only between opening and closing."""
    gr.Markdown("### Why it happens", elem_id="why")
    first = next(iter(ANALYSES))
    current = gr.Radio(
        [(TITLES[analysis], analysis) for analysis in ANALYSES], value=first, show_label=False,
        container=False, elem_id="why-current",
    )  # fmt: skip
    views, operated = [], None
    for analysis in ANALYSES:
        # Out of sight, not absent: parts that mount while a value arrives can miss it.
        with gr.Column(elem_classes=_sight(analysis == first)) as column:
            views.append(_build_view(analysis, column))
            if analysis == "surgery":
                operated = build_operating_table()
            if analysis == "gradients":
                build_training_gradients()
    assert operated is not None
    timer = gr.Timer(LOOK_EVERY_SECONDS, active=False)
    for view in views:
        _wire(view)
    asked = [part for view in views for part in view.asked]
    outputs = [output for view in views for output in view.outputs]
    columns = [view.column for view in views]
    current.input(_turn_to, current, columns, **AT_ONCE).then(
        ticker(views, always=True), [current, *asked], outputs, **AT_ONCE
    )
    timer.tick(ticker(views), [current, *asked], outputs, **AT_ONCE)
    return WhySection(timer, views, current, operated)


def _build_view(analysis: str, column: gr.Column) -> View:
    gr.Markdown(LEADS[analysis], elem_id=f"why-lead-{analysis}")
    with gr.Row():
        source = gr.Radio(
            [SHIPPED, COMPUTED], value=SHIPPED, label="Results", elem_id=f"why-source-{analysis}"
        )
        style = gr.Radio(
            [IN_3D, FROM_ABOVE], value=IN_3D, label="Seen as", elem_id=f"why-style-{analysis}",
            visible=analysis == "landscape",
        )  # fmt: skip
    with gr.Row():
        figures = []
        for number in range(FIGURES[analysis]):
            with gr.Column(min_width=340):
                figures.append(
                    LiveFigure(height=HEIGHTS[analysis], elem_id=f"why-{analysis}-{number + 1}")
                )
    gr.HTML(f'<p class="lab-note">{SOURCES[analysis]}</p>')
    origin = gr.HTML(elem_id=f"why-origin-{analysis}")
    with gr.Accordion("Compute it here", open=False, elem_id=f"why-compute-{analysis}"):
        chosen = list(ANALYSES[analysis].default_models)
        picked = gr.Dropdown(
            chosen, value=chosen, multiselect=True, label="Nets", elem_id=f"why-nets-{analysis}"
        )
        points = gr.Radio(
            [5, 9, 17, 33], value=9, label="Points a side", visible=analysis == "landscape"
        )
        command = gr.HTML(_render_command(default_settings(analysis)))
        with gr.Row():
            start = gr.Button("Compute", variant="primary", elem_id=f"why-start-{analysis}")
            stop = gr.Button("Stop", interactive=False, elem_id=f"why-stop-{analysis}")
    state = gr.HTML(elem_id=f"why-state-{analysis}")
    return View(
        analysis, column, figures, origin, source, picked, points, style, command, start, stop, state,
        build_seen(),
    )  # fmt: skip


def _wire(view: View) -> None:
    look = looker(view)
    again = {"fn": look, "inputs": view.asked, "outputs": view.outputs, **AT_ONCE}
    view.source.input(**again)
    view.style.input(**again)
    asked = [view.picked, view.points]
    gr.on(
        [part.change for part in asked],
        lambda *said: _render_command(_settings(view.analysis, *said)),
        asked, view.command, **AT_ONCE,
    )  # fmt: skip
    view.start.click(_starter(view), asked, [view.state, view.source], **AT_ONCE).then(**again)
    view.stop.click(lambda: jobs.stop(view.analysis), None, None, **AT_ONCE).then(**again)


def _turn_to(current: str) -> list[Any]:
    return [gr.update(elem_classes=_sight(analysis == current)) for analysis in ANALYSES]


def _sight(is_shown: bool) -> list[str]:
    return [] if is_shown else ["lab-away"]


def _settings(analysis: str, models: Sequence[str] | None, points: int) -> Settings:
    """The question as it stands on the page."""
    settings = replace(default_settings(analysis), models=tuple(models or ()))
    if isinstance(settings, LandscapeSettings):
        return replace(settings, points=int(points))
    return settings


def _render_command(settings: Settings) -> str:
    return render_command(jobs.shown_command(settings))


def _starter(view: View) -> Callable[..., list[Any]]:
    def start(models: list[str], points: int) -> list[Any]:
        try:
            jobs.start(_settings(view.analysis, models, points))
        except LabError as error:
            return [render_problem(str(error)), gr.skip()]
        return [gr.skip(), COMPUTED]

    return start
