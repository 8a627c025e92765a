"""Looks inside the nets as the page shows them now: which results, which figures, what still runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from benchmarks.why.settings import GradientSettings, SurgerySettings
from benchmarks.why.stored import Stored, read_stored
from resnet_core.errors import LabError
from resnet_core.models.config import FAMILIES
from resnet_core.runs.summary import describe_runs
from ui import run_jobs
from ui.child import reap
from ui.figure import LiveFigure
from ui.html import render_problem
from ui.seen import Seen, marks
from ui.why.jobs import WhyJob
from ui.why.view import model_choices, operable_choices, render_job, render_origin

SHIPPED, COMPUTED = "shipped with the app", "computed here"
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


def looker(view: View) -> Callable[..., list[Any]]:
    def look(source: str, style: str, seen: Seen) -> list[Any]:
        return _look(view, source, style, None)

    return look


def ticker(views: list[View], always: bool = False) -> Callable[..., list[Any]]:
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


def opener(views: list[View]) -> Callable[..., list[Any]]:
    """Fills the menus, and shows the view in sight: a running computation before what ships."""

    def opened(current: str, operated: str) -> list[Any]:
        rows = describe_runs(run_jobs.runs_folder())
        choices, operable = model_choices(rows), operable_choices(rows)
        menus = [gr.update(choices=_offered(v.analysis, choices, operable)) for v in views]
        shown: list[Any] = []
        for view in views:
            if view.analysis != current:
                shown += _nothing(view)
                continue
            is_live = view.job.process_id() is not None
            values = _look(view, COMPUTED if is_live else SHIPPED, IN_3D, None)
            values[1] = COMPUTED if is_live else gr.skip()
            shown += values
        net = operated if operated in operable else operable[0]
        nets = gr.update(choices=operable, value=net)
        return [nets, *menus, *shown]

    return opened


def _offered(analysis: str, trained: list[str], operable: list[str]) -> list[str]:
    """Untrained nets of any depth for gradients, trained ones for all else."""
    if analysis == GradientSettings.analysis:
        return [family.name(d) for family in FAMILIES.values() for d in family.example_depths[:5]]
    return operable if analysis == SurgerySettings.analysis else trained


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
