"""What a person does to a run on the Train tab: stop, resume, extend, copy, delete, reorder."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from resnet_core.errors import LabError
from resnet_core.runs.queue import move, runs_at_once, set_runs_at_once, withdraw
from resnet_core.runs.summary import describe_runs, size_bytes
from ui import run_jobs
from ui.command_lines import RUNS, command_line
from ui.events import AT_ONCE
from ui.html import render_command, render_problem
from ui.train.watch import WatchPanel


def build_run_actions(panel: WatchPanel) -> gr.Button:
    """Lay the less common actions out, wire all; gives the button that copies a run's settings."""
    with gr.Accordion("Extend, copy, delete, limit", open=False, elem_id="run-more") as more:
        with gr.Row(equal_height=True):
            epochs = gr.Number(5, label="Epochs to add", elem_id="more-epochs", min_width=150)
            extend = gr.Button("Extend", elem_id="extend", min_width=90)
        with gr.Row():
            again = gr.Button("Copy settings to the form", elem_id="again", min_width=190)
            delete = gr.Button("Delete …", elem_id="delete", min_width=90)
        with gr.Column(visible=False) as confirm:
            question = gr.HTML(elem_id="delete-question")
            with gr.Row():
                sure = gr.Button("Yes, delete for good", variant="stop", elem_id="delete-sure")
                keep = gr.Button("Keep it", elem_id="delete-keep")
        limit = gr.Number(
            runs_at_once(run_jobs.runs_folder()), precision=0,
            label="Runs that compute at once; the others wait", elem_id="runs-at-once",
        )  # fmt: skip
    for button, act, inputs in (
        (panel.stop, run_jobs.stop, [panel.picked]),
        (panel.resume, run_jobs.resume, [panel.picked]),
        (extend, run_jobs.lengthen, [panel.picked, epochs]),
    ):
        button.click(_saying(act), inputs, panel.message, **AT_ONCE).then(**panel.looking())
    panel.queue.click(_act_on_queue, None, panel.message, **AT_ONCE).then(**panel.looking())
    # Another page, or the command line, may have set it since this one was made.
    more.expand(lambda: runs_at_once(run_jobs.runs_folder()), None, limit, **AT_ONCE)
    limit.input(
        _saying(lambda number: set_runs_at_once(run_jobs.runs_folder(), int(number or 0))),
        limit, panel.message, **AT_ONCE,
    )  # fmt: skip
    panel.picked.input(**panel.looking())
    _wire_delete(panel, delete, (confirm, question), sure, keep)
    return again


def _saying(act: Callable[..., object]) -> Callable[..., str]:
    """The action as a handler that answers with its sentence where it fails, else with nothing."""

    def answer(*values: Any) -> str:
        try:
            act(*values)
        except LabError as error:
            return render_problem(str(error))
        return ""

    return answer


def _act_on_queue(event: gr.EventData) -> str:
    return _saying(_change_queue)(event.action, event.row)


def _change_queue(action: str, name: str) -> None:
    folder = run_jobs.run_named(name)
    if action == "withdraw":
        withdraw(folder)
        return
    places = {row["name"]: row["place"] for row in describe_runs(run_jobs.runs_folder())}
    move(folder, (places.get(name) or 1) + (1 if action == "down" else -1))


def _wire_delete(
    panel: WatchPanel, delete: gr.Button, asking: tuple[gr.Column, gr.HTML], sure: gr.Button,
    keep: gr.Button,
) -> None:  # fmt: skip
    confirm, question = asking
    delete.click(_ask, panel.picked, [confirm, question], **AT_ONCE)
    keep.click(_hide, None, confirm, **AT_ONCE)
    sure.click(_saying(run_jobs.delete), panel.picked, panel.message, **AT_ONCE).then(
        _hide, None, confirm, **AT_ONCE
    ).then(**panel.looking())
    panel.picked.change(_hide, None, confirm, **AT_ONCE)  # the question was about another run


def _hide() -> Any:
    return gr.update(visible=False)


def _ask(name: str | None) -> tuple[Any, str]:
    try:
        size = size_bytes(run_jobs.run_named(name or "")) / 1e6
    except LabError as error:
        return gr.update(visible=True), render_problem(str(error))
    command = command_line("resnet_core", "runs", "delete", name or "", folders=(RUNS,))
    return gr.update(visible=True), (
        f'<p class="lab-note">Delete {escape(name or "")} with its weights and curves, '
        f"{size:.1f} MB, for good?</p>{render_command(command)}"
    )
