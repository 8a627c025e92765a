"""What a person chooses for a study of their own, and the command line it stands for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from resnet_core.data.catalogue import list_datasets
from resnet_core.errors import LabError
from resnet_core.models.config import FAMILIES
from resnet_core.training.config import default_data_folder
from resnet_core.training.recipes import from_scratch
from ui import run_jobs
from ui.command_lines import DATA, RUNS_BY_ENVIRONMENT, command_line
from ui.events import AT_ONCE, settled
from ui.html import render_busy, render_command, render_problem
from ui.train.form import offer_datasets

OFFERED_DEPTHS = (8, 14, 20, 32, 44, 56, 110)


@dataclass(frozen=True)
class StudyForm:
    """The settings of a study, in the order of `run_jobs.study_words`."""

    inputs: list[gr.components.Component]
    start: gr.Button
    said: gr.HTML


def build_study_form() -> StudyForm:
    """Lay the form out, folded; its command line follows every change."""
    with gr.Accordion("Train a study of your own", open=False, elem_id="study-form"):
        gr.Markdown(
            "Every family at every depth with every seed, one after the other. What is trained "
            "already is not trained again: add a depth or a seed and start again.",
        )
        families = gr.CheckboxGroup(
            [(family.title, key) for key, family in FAMILIES.items()],
            value=["plain", "resnet_v1"], label="Families", elem_id="study-families",
        )  # fmt: skip
        with gr.Row():
            depths = gr.Dropdown(
                [str(depth) for depth in OFFERED_DEPTHS], value=["8", "20", "32"], multiselect=True,
                label="Depths, layers", elem_id="study-depths", min_width=280, scale=3,
            )  # fmt: skip
            seeds = gr.Number(
                1, precision=0, label="Seeds a net", elem_id="study-seeds", min_width=100
            )
            data = gr.Dropdown(
                list_datasets(default_data_folder()), value="shapes", label="Data",
                elem_id="study-data", min_width=120,
            )  # fmt: skip
            recipe = gr.Dropdown(
                from_scratch(), value="taste", label="Recipe", elem_id="study-recipe",
                min_width=120,
            )  # fmt: skip
            epochs = gr.Number(
                2, label="Epochs", elem_id="study-epochs", min_width=100, precision=None
            )
        inputs = [families, depths, seeds, data, recipe, epochs]
        command = gr.HTML(
            _render_command(*(part.value for part in inputs)), elem_id="study-command"
        )
        start = gr.Button("Start the study", variant="primary", elem_id="study-start")
        said = gr.HTML("", elem_id="study-answer")
    # Own images that were prepared since the menu was made.
    data.focus(lambda chosen: gr.update(choices=offer_datasets(chosen)), data, data, **AT_ONCE)
    gr.on([part.change for part in inputs], _render_command, inputs, command,
          **settled("study form"))  # fmt: skip
    return StudyForm(inputs, start, said)


def _render_command(*shown: Any) -> str:
    try:
        return render_command(
            command_line(
                "benchmarks", *run_jobs.study_words(*shown), folders=(RUNS_BY_ENVIRONMENT, DATA)
            )
        )
    except LabError as error:
        return render_problem(str(error))


def start_study(*shown: Any) -> Any:
    """Queue the study and show it; what is wrong is said beneath the button."""
    yield render_busy("Starting"), gr.skip()
    try:
        yield "", run_jobs.start_study(run_jobs.study_words(*shown))
    except LabError as error:
        yield render_problem(str(error)), gr.skip()
