"""The right half of the Train tab: one run, live or done, and what can be done with it.

The page only reads the run's folder: a reload, a second browser or a restarted app shows the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from resnet_core.errors import LabError
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.history import read_history
from resnet_core.runs.queue import move, runs_at_once, set_runs_at_once, withdraw
from resnet_core.runs.summary import describe_runs, log_tail, size_bytes
from resnet_core.runs.worker import ensure_worker
from ui import jobs
from ui.action_list import ActionList
from ui.answers import render_problem
from ui.figure import LiveFigure
from ui.run_view import NO_RUNS, action_commands, menu_entry, render_queue, render_run

FIGURES = ("error", "loss", "learning_rate", "speed", "gradients")
CAN_STOP = ("running", "queued")
CAN_RESUME = ("stopped", "interrupted", "failed")
NOTHING_SEEN: tuple[Any, ...] = ()


@dataclass(frozen=True)
class WatchPanel:
    """The components that a look at a run fills, and those that act on it."""

    picked: gr.Dropdown
    seen: gr.State
    outputs: list[Any]
    stop: gr.Button
    resume: gr.Button
    use: gr.Button
    again: gr.Button
    message: gr.HTML


def build_watch(default_run: str | None) -> WatchPanel:
    """Lay the panel out and wire what needs nothing from outside."""
    picked = gr.Dropdown([], value=default_run, label="Run", elem_id="run", allow_custom_value=True)
    header = gr.HTML(NO_RUNS, elem_id="run-header")
    with gr.Row(elem_id="run-actions"):
        stop = gr.Button("Stop", elem_id="stop", interactive=False, min_width=90)
        resume = gr.Button("Resume", elem_id="resume", interactive=False, min_width=90)
        use = gr.Button(
            "Use in Classify", variant="primary", elem_id="use", interactive=False, min_width=150
        )
    message = gr.HTML("", elem_id="run-message")
    queue = ActionList(elem_id="queue")
    figures = {"error": LiveFigure(height=300, elem_id="figure-error")}
    with gr.Row():
        for name in ("loss", "gradients"):
            with gr.Column(min_width=280):
                figures[name] = LiveFigure(height=210, elem_id=f"figure-{name}")
    with gr.Row():
        for name in ("learning_rate", "speed"):
            with gr.Column(min_width=280):
                figures[name] = LiveFigure(height=170, elem_id=f"figure-{name}")
    with gr.Accordion("Extend, copy, delete", open=False, elem_id="run-more"):
        with gr.Row(equal_height=True):
            epochs = gr.Number(
                5, minimum=0, label="More epochs", elem_id="more-epochs", min_width=90
            )
            extend = gr.Button("Extend", elem_id="extend", min_width=90)
            again = gr.Button("Copy its settings into the form", elem_id="again", min_width=150)
            delete = gr.Button("Delete …", elem_id="delete", min_width=90)
        with gr.Row(visible=False, equal_height=True) as confirm:
            question = gr.HTML(elem_id="delete-question")
            sure = gr.Button("Yes, delete for good", variant="stop", elem_id="delete-sure")
            keep = gr.Button("Keep it", elem_id="delete-keep")
        limit = gr.Number(
            runs_at_once(jobs.runs_folder()), precision=0, minimum=1, maximum=64,
            label="Runs at once, the others wait", elem_id="runs-at-once",
        )  # fmt: skip
    with gr.Accordion("Command lines and log", open=False, elem_id="run-log"):
        commands = gr.Textbox(
            label="The same on the command line", lines=3, buttons=["copy"], interactive=False,
            elem_id="run-commands",
        )  # fmt: skip
        log = gr.Textbox(
            label="What the run printed", lines=8, max_lines=16, interactive=False, autoscroll=True
        )
    seen = gr.State(NOTHING_SEEN)
    drawn = [figures[name] for name in FIGURES]
    outputs = [picked, seen, header, queue, stop, resume, use, commands, log, *drawn]
    panel = WatchPanel(picked, seen, outputs, stop, resume, use, again, message)
    _wire_actions(panel, extend, epochs, queue, limit)
    _wire_delete(panel, delete, confirm, question, sure, keep)
    return panel


def look(picked: str | None, seen: tuple[Any, ...]) -> Any:
    """Everything the panel shows of the run picked; nothing is sent where nothing changed.

    With no run picked (or a deleted one), the running run, else the newest, is shown.
    """
    runs = jobs.runs_folder()
    ensure_worker(runs)
    rows = describe_runs(runs)
    names = [row["name"] for row in rows]
    if picked not in names:
        running = [row["name"] for row in rows if row["state"] == "running"]
        picked = (running or names or [None])[0]
    row = next((row for row in rows if row["name"] == picked), None)
    entries = [menu_entry(row) for row in rows]
    now = (picked, str(row), entries)
    if tuple(seen) == now:
        return gr.skip()
    menu = gr.update(choices=entries, value=picked)
    if row is None:
        return [menu, now, NO_RUNS, "", *_buttons("", False), "", "", *([None] * len(FIGURES))]
    shown = [*_buttons(row["state"], row.get("step", 0) > 0), action_commands(row)]
    folder = jobs.run_named(row["name"])
    return [
        menu,
        now,
        render_run(row),
        render_queue(rows),
        *shown,
        log_tail(folder),
        *_draw(folder),
    ]


def _draw(folder: RunFolder) -> list[Any]:
    from benchmarks.figures.run_curves import run_figures  # plotly is loaded with the first figure

    try:
        figures = run_figures(read_history(folder), folder.config())
    except (LabError, KeyError):
        return [None] * len(FIGURES)
    return [figures[name] for name in FIGURES]


def _buttons(state: str, has_trained: bool) -> list[Any]:
    """Stop, resume and use: always in place, so that nothing jumps; usable where it makes sense."""
    label = "Withdraw" if state == "queued" else "Stop"
    return [
        gr.update(interactive=state in CAN_STOP, value=label),
        gr.update(interactive=state in CAN_RESUME),
        gr.update(interactive=state == "finished" or (has_trained and state in CAN_RESUME)),
    ]


def _wire_actions(
    panel: WatchPanel, extend: gr.Button, epochs: gr.Number, queue: ActionList, limit: gr.Number
) -> None:
    picked, message = panel.picked, panel.message
    for button, act in ((panel.stop, jobs.stop), (panel.resume, jobs.resume)):
        _on_click(button, act, [picked], panel)
    _on_click(extend, jobs.lengthen, [picked, epochs], panel)
    queue.click(
        _act_on_queue, None, message, show_progress="hidden", api_visibility="private"
    ).then(**_looking(panel))
    limit.change(_set_limit, limit, message, show_progress="hidden", api_visibility="private")
    picked.input(**_looking(panel))


def _on_click(button: gr.Button, act: Any, inputs: list[Any], panel: WatchPanel) -> None:
    def answer(*values: Any) -> str:
        return _said(lambda: act(*values))

    button.click(
        answer, inputs, panel.message, show_progress="hidden", api_visibility="private"
    ).then(**_looking(panel))


def _looking(panel: WatchPanel) -> dict[str, Any]:
    """The arguments of an event that looks at the run again, whatever was seen before."""
    return {
        "fn": lambda picked: look(picked, NOTHING_SEEN),
        "inputs": panel.picked,
        "outputs": panel.outputs,
        "show_progress": "hidden",
        "api_visibility": "private",
    }


def _said(act: Any) -> str:
    """Nothing where an action worked, its sentence where it did not."""
    try:
        act()
    except LabError as error:
        return render_problem(str(error))
    return ""


def _act_on_queue(event: gr.EventData) -> str:
    folder = jobs.run_named(event.row)
    rows = {row["name"]: row["place"] for row in describe_runs(jobs.runs_folder())}
    place = rows.get(event.row) or 1
    acts = {
        "up": lambda: move(folder, place - 1),
        "down": lambda: move(folder, place + 1),
        "withdraw": lambda: withdraw(folder),
    }
    return _said(acts[event.action])


def _set_limit(number: float | None) -> str:
    return _said(lambda: set_runs_at_once(jobs.runs_folder(), int(number or 0)))


def _wire_delete(
    panel: WatchPanel, delete: gr.Button, confirm: gr.Row, question: gr.HTML, sure: gr.Button,
    keep: gr.Button,
) -> None:  # fmt: skip
    options: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    delete.click(_ask, panel.picked, [confirm, question], **options)
    keep.click(lambda: gr.update(visible=False), None, confirm, **options)
    sure.click(
        lambda name: (_said(lambda: jobs.delete(name)), gr.update(visible=False)),
        panel.picked, [panel.message, confirm], **options,
    ).then(**_looking(panel))  # fmt: skip


def _ask(name: str | None) -> tuple[Any, str]:
    try:
        size = size_bytes(jobs.run_named(name or "")) / 1e6
    except LabError as error:
        return gr.update(visible=False), render_problem(str(error))
    return gr.update(visible=True), f"<p>Delete {name} and its {size:.1f} MB for good?</p>"
