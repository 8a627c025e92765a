"""Deeper, and less work: nets for photos beside those before them, as was counted and timed once."""

from __future__ import annotations

from typing import Any

import gradio as gr

from benchmarks.work.stored import read_work
from resnet_core.errors import LabError
from ui.events import AT_ONCE
from ui.figure import LiveFigure
from ui.html import render_command, render_problem, render_table

TITLE = "Depth against work: nets for photos"


def build_work() -> None:
    """Lay the folded section out; it is filled when it is opened."""
    with gr.Accordion(TITLE, open=False, elem_id="work") as section:
        with gr.Row(equal_height=False):
            with gr.Column(min_width=340):
                work = LiveFigure(height=380, elem_id="work-figure")
            with gr.Column(min_width=340):
                time = LiveFigure(height=380, elem_id="work-time")
        about = gr.HTML(elem_id="work-about")
    section.expand(_show, None, [work, time, about], **AT_ONCE)


def _show() -> list[Any]:
    from benchmarks.figures.depth_against_work import work_figure
    from benchmarks.figures.time_against_work import time_figure
    from benchmarks.work.report import HOW, TIME_HEADINGS, how_timed, time_rows

    try:
        found = read_work()
    except LabError as error:
        return [None, None, render_problem(str(error))]
    return [
        work_figure(found.nets),
        time_figure(found),
        f'<p class="lab-note">{HOW} {how_timed(found)}</p>'
        f"{render_table(TIME_HEADINGS, time_rows(found))}{render_command(found.command)}",
    ]
