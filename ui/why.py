"""Why it happens: five looks inside the nets, from stored results or computed while one watches.

The page only reads files: what ships, or what a process that it started is writing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from benchmarks.why.settings import (
    ANALYSES,
    GradientSettings,
    LandscapeSettings,
    Settings,
    default_settings,
)
from benchmarks.why.stored import Stored, read_stored
from resnet_core.errors import LabError
from resnet_core.models.config import FAMILIES
from resnet_core.runs.summary import describe_runs
from ui import jobs, why_jobs
from ui.child import reap
from ui.events import AT_ONCE
from ui.figure import LiveFigure
from ui.html import render_command, render_problem
from ui.seen import Seen, build_seen, marks
from ui.why_jobs import WhyJob
from ui.why_surgery import build_operating_table
from ui.why_training import build_training_gradients
from ui.why_view import (
    LEADS,
    SOURCES,
    TITLES,
    model_choices,
    render_job,
    render_origin,
)

LOOK_EVERY_SECONDS = 1.5
SHIPPED, COMPUTED = "shipped with the app", "computed here"
FIGURES = {"gradients": 2, "surgery": 2, "landscape": 2, "responses": 1, "ensemble": 1}
HEIGHTS = {"gradients": 300, "surgery": 320, "landscape": 360, "responses": 300, "ensemble": 320}
IN_3D, FROM_ABOVE = "surface", "map from above"


@dataclass(frozen=True)
class View:
    """One look inside: what is shown and what it is computed with."""

    analysis: str
    column: gr.Column
    figures: list[LiveFigure]
    origin: gr.HTML
    source: gr.Radio
    picked: gr.Dropdown
    points: gr.Radio
    style: gr.Radio
    command: gr.HTML
    start: gr.Button
    stop: gr.Button
    state: gr.HTML
    seen: gr.JSON

    @property
    def job(self) -> WhyJob:
        return WhyJob(self.analysis)

    @property
    def asked(self) -> list[Any]:
        """What a look depends on."""
        return [self.source, self.style, self.seen]

    @property
    def outputs(self) -> list[Any]:
        """In the order in which a look gives their values."""
        return [
            self.seen,
            self.source,
            self.origin,
            self.state,
            self.start,
            self.stop,
            *self.figures,
        ]


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
            "fn": _opener(self.views),
            "inputs": [self.current, self.operated, *pickers],
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
        _ticker(views, always=True), [current, *asked], outputs, **AT_ONCE
    )
    timer.tick(_ticker(views), [current, *asked], outputs, **AT_ONCE)
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
        command = gr.HTML(render_command(default_settings(analysis).command))
        with gr.Row():
            start = gr.Button("Compute", variant="primary", elem_id=f"why-start-{analysis}")
            stop = gr.Button("Stop", interactive=False, elem_id=f"why-stop-{analysis}")
    state = gr.HTML(elem_id=f"why-state-{analysis}")
    return View(
        analysis, column, figures, origin, source, picked, points, style, command, start, stop, state,
        build_seen(),
    )  # fmt: skip


def _wire(view: View) -> None:
    look = _looker(view)
    again = {"fn": look, "inputs": view.asked, "outputs": view.outputs, **AT_ONCE}
    view.source.input(**again)
    view.style.input(**again)
    asked = [view.picked, view.points]
    gr.on(
        [part.change for part in asked],
        lambda *said: render_command(_settings(view.analysis, *said).command),
        asked, view.command, **AT_ONCE,
    )  # fmt: skip
    view.start.click(_starter(view), asked, [view.state, view.source], **AT_ONCE).then(**again)
    view.stop.click(lambda: why_jobs.stop(view.analysis), None, None, **AT_ONCE).then(**again)


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


def _starter(view: View) -> Callable[..., list[Any]]:
    def start(models: list[str], points: int) -> list[Any]:
        try:
            why_jobs.start(_settings(view.analysis, models, points))
        except LabError as error:
            return [render_problem(str(error)), gr.skip()]
        return [gr.skip(), COMPUTED]

    return start


def _looker(view: View) -> Callable[..., list[Any]]:
    def look(source: str, style: str, seen: Seen) -> list[Any]:
        return _look(view, source, style, None)

    return look


def _ticker(views: list[View], always: bool = False) -> Callable[..., list[Any]]:
    """Looks at the one view in sight, says nothing of the others; `always` whatever was seen."""

    def tick(current: str, *asked: Any) -> list[Any]:
        shown: list[Any] = []
        for number, view in enumerate(views):
            source, style, seen = asked[3 * number : 3 * number + 3]
            is_current = view.analysis == current
            shown += (
                _look(view, source, style, None if always else seen)
                if is_current
                else _nothing(view)
            )
        return shown

    return tick


def _opener(views: list[View]) -> Callable[..., list[Any]]:
    """Fills the menus, and shows the view in sight: a running computation before what ships."""

    def opened(current: str, operated: str, *picked: list[str]) -> list[Any]:
        choices = model_choices(describe_runs(jobs.runs_folder()))
        menus = [
            gr.update(choices=_offered(view.analysis, choices, chosen))
            for view, chosen in zip(views, picked, strict=True)
        ]
        shown: list[Any] = []
        for view in views:
            if view.analysis != current:
                shown += _nothing(view)
                continue
            is_live = view.job.process_id() is not None
            values = _look(view, COMPUTED if is_live else SHIPPED, IN_3D, None)
            values[1] = COMPUTED if is_live else gr.skip()
            shown += values
        nets = gr.update(choices=choices, value=operated if operated in choices else choices[0])
        return [nets, *menus, *shown]

    return opened


def _offered(analysis: str, trained: list[str], chosen: list[str]) -> list[str]:
    """Untrained nets of any depth for gradients, trained ones for all else."""
    if analysis != GradientSettings.analysis:
        return list(dict.fromkeys([*trained, *(name for name in chosen if name in trained)]))
    return [family.name(d) for family in FAMILIES.values() for d in family.example_depths[:5]]


def _nothing(view: View) -> list[Any]:
    return [gr.skip()] * len(view.outputs)


def _look(view: View, source: str, style: str, seen: Seen) -> list[Any]:
    """What the view shows now; nothing is sent where nothing changed."""
    reap()
    job = view.job
    path = job.results_file if source == COMPUTED else job.shipped_file
    is_live = job.process_id() is not None
    try:
        now = marks(source, style, _fingerprint(path), is_live)
        if seen == now:
            return _nothing(view)
        stored = read_stored(path)
        figures = _draw(view, stored, style)
    except (LabError, KeyError, ValueError) as error:
        return [
            gr.skip(), gr.skip(), render_problem(f"These results can't be shown ({error})."),
            *_nothing(view)[3:],
        ]  # fmt: skip
    computed = stored if source == COMPUTED else None
    state = render_job(job, computed) if source == COMPUTED or is_live else ""
    return [
        now, gr.skip(), render_origin(stored), state, gr.update(interactive=not is_live),
        gr.update(interactive=is_live), *figures,
    ]  # fmt: skip


def _fingerprint(path: Path) -> tuple[float, int]:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return 0.0, 0
    return facts.st_mtime, facts.st_size


def _draw(view: View, stored: Stored | None, style: str) -> list[Any]:
    """As many figures as the view has places for; plotly is loaded with the first."""
    if stored is None:
        return [None] * len(view.figures)
    figures = _figures(view.analysis, stored, style)
    # The deepest nets tell most: with more figures than places, the last ones stay.
    figures = figures[-len(view.figures) :]
    return [*figures, *[None] * (len(view.figures) - len(figures))]


def _figures(analysis: str, stored: Stored, style: str) -> list[Any]:
    match analysis:
        case "gradients":
            from benchmarks.figures.why_gradients import gradient_flow_figures

            return list(gradient_flow_figures(stored).values())
        case "surgery":
            from benchmarks.figures.why_surgery import surgery_figures

            return surgery_figures(stored)
        case "landscape":
            from benchmarks.figures.why_landscape import landscape_figures

            return landscape_figures(stored, from_above=style == FROM_ABOVE)
        case "responses":
            from benchmarks.figures.why_responses import response_figure

            return [response_figure(stored)]
    from benchmarks.figures.why_ensemble import ensemble_figure

    return [ensemble_figure(stored)]
