"""Gradients along training, from what the runs recorded while they trained."""

from __future__ import annotations

from typing import Any

import gradio as gr

from resnet_core.errors import LabError
from resnet_core.runs.summary import describe_runs
from ui import run_jobs
from ui.events import AT_ONCE, IN_TURN
from ui.figure import LiveFigure
from ui.train.run_view import menu_entry

MOST_AT_FIRST = 4


def build_training_gradients() -> None:
    """Lay it out, folded, then wire it: runs are read when it is opened."""
    with gr.Accordion("And while training", open=False, elem_id="why-training") as accordion:
        gr.Markdown(
            "Does the signal stay alive once the net learns? Choose runs of yours: each recorded how "
            "strong the gradient was in every part of the net."
        )
        picked = gr.Dropdown([], multiselect=True, label="Runs", elem_id="why-training-runs")
        figure = LiveFigure(height=300, elem_id="why-training-figure")
    # The figure follows the menu: it is mounted by then.
    accordion.expand(_offer, picked, picked, **AT_ONCE)
    picked.change(_draw, picked, figure, trigger_mode="always_last", **IN_TURN)


def _offer(picked: list[str] | None) -> Any:
    """The runs there are; the newest few are chosen at first."""
    rows = [row for row in describe_runs(run_jobs.runs_folder()) if row.get("step")]
    names = [row["name"] for row in rows]
    kept = [name for name in picked or [] if name in names] or names[:MOST_AT_FIRST]
    return gr.update(choices=[menu_entry(row) for row in rows], value=kept)


def _draw(names: list[str] | None) -> Any:
    from benchmarks.figures.why_training import training_gradient_figure

    try:
        return training_gradient_figure([run_jobs.run_named(name) for name in names or []])
    except LabError as error:
        gr.Warning(str(error))
        return gr.skip()
