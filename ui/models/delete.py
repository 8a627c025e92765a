"""Deleting a model on the Models tab: asked once, by name; an imported one can be brought back."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from resnet_core.doctor.remove import bring_back, delete_imported, imported_named, what_goes
from resnet_core.errors import LabError
from resnet_core.runs.summary import size_bytes
from resnet_core.zoo import imported_entries
from ui import run_jobs
from ui.command_lines import RUNS, command_line
from ui.events import AT_ONCE
from ui.html import render_command, render_problem


@dataclass(frozen=True)
class DeletePanel:
    """The button that asks, the question with its answers, and what is said afterwards."""

    delete: gr.Button
    confirm: gr.Column
    question: gr.HTML
    sure: gr.Button
    keep: gr.Button
    message: gr.HTML
    undo: gr.Button

    def wire(self, picked: gr.State, opening: dict[str, Any]) -> None:
        """Wire it to the model chosen; `opening` lists the models anew."""
        said = [self.message, self.confirm, self.undo]
        self.delete.click(_ask, picked, [self.question, self.confirm], **AT_ONCE)
        self.keep.click(_hide, None, self.confirm, **AT_ONCE)
        self.sure.click(_delete, picked, said, **AT_ONCE).then(**opening)
        self.undo.click(_undo, None, said, **AT_ONCE).then(**opening)
        # The question was about another model.
        picked.change(_hide, None, self.confirm, **AT_ONCE)


def build_delete_panel() -> DeletePanel:
    """Lay it out, for `wire`."""
    delete = gr.Button("Delete …", elem_id="model-delete", visible=False)
    with gr.Column(visible=False) as confirm:
        question = gr.HTML(elem_id="model-delete-question")
        with gr.Row():
            sure = gr.Button("Yes, delete", variant="stop", elem_id="model-delete-sure")
            keep = gr.Button("Keep it", elem_id="model-delete-keep")
    message = gr.HTML(elem_id="model-message")
    undo = gr.Button("Bring it back", visible=False, elem_id="model-undo")
    return DeletePanel(delete, confirm, question, sure, keep, message, undo)


def _is_imported(name: str) -> bool:
    return any(entry.name == name for entry in imported_entries(run_jobs.runs_folder()))


def _hide() -> Any:
    return gr.update(visible=False)


def _ask(name: str | None) -> tuple[str, Any]:
    try:
        asked = _question(name or "")
    except LabError as error:
        asked = render_problem(str(error))
    return asked, gr.update(visible=True)


def _question(name: str) -> str:
    if _is_imported(name):
        goes = what_goes(imported_named(name, run_jobs.runs_folder()))
        after = "It can be brought back until another imported model is deleted."
        command = command_line("resnet_core", "imported", "delete", name, folders=(RUNS,))
    else:
        size = size_bytes(run_jobs.run_named(name)) / 1e6
        goes = f"the run {name} with its weights and curves, {size:.1f} MB"
        after = "There is no way back."
        command = command_line("resnet_core", "runs", "delete", name, folders=(RUNS,))
    return f'<p class="lab-note">Delete {escape(goes)}? {after}</p>{render_command(command)}'


def _delete(name: str | None) -> tuple[str, Any, Any]:
    name = name or ""
    can_be_undone = _is_imported(name)
    try:
        if can_be_undone:
            delete_imported(name, run_jobs.runs_folder())
        else:
            run_jobs.delete(name)
    except LabError as error:
        return render_problem(str(error)), _hide(), _hide()
    return _note(f"Deleted {name}."), _hide(), gr.update(visible=can_be_undone)


def _undo() -> tuple[str, Any, Any]:
    try:
        name = bring_back(run_jobs.runs_folder())
    except LabError as error:
        return render_problem(str(error)), _hide(), _hide()
    return _note(f"{name} is back."), _hide(), _hide()


def _note(text: str) -> str:
    return f'<p class="lab-note" role="status">{escape(text)}</p>'
