"""The right half of the Train tab: one run, live or done.

The page only reads the run's folder: a reload, a second browser or a restarted app shows the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from benchmarks.figures.style import RUN_HEIGHTS
from resnet_core.errors import LabError
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.history import read_history
from resnet_core.runs.summary import describe_runs, log_tail
from resnet_core.runs.worker import ensure_worker
from ui import run_jobs
from ui.action_list import ActionList
from ui.events import AT_ONCE
from ui.figure import LiveFigure
from ui.html import render_busy
from ui.seen import Seen, build_seen, marks
from ui.train.run_view import NO_RUNS, action_commands, menu_entry, render_queue, render_run

CAN_STOP = ("running", "queued")
CAN_RESUME = ("stopped", "interrupted", "failed")


@dataclass(frozen=True)
class WatchPanel:
    """What a look at a run fills, and what acts on it."""

    picked: gr.Dropdown
    seen: gr.JSON
    header: gr.HTML
    stop: gr.Button
    resume: gr.Button
    use: gr.Button
    message: gr.HTML
    queue: ActionList
    details: gr.Column
    figures: dict[str, LiveFigure]
    commands: gr.Textbox
    log: gr.Textbox

    @property
    def outputs(self) -> list[Any]:
        """In the order in which `look` gives their values."""
        return [
            self.picked, self.seen, self.header, self.queue, self.details, self.stop, self.resume,
            self.use, self.commands, self.log, *(self.figures[name] for name in RUN_HEIGHTS),
        ]  # fmt: skip

    def looking(self) -> dict[str, Any]:
        """The arguments of an event that looks at the run again, whatever was seen before."""
        return {
            "fn": lambda picked: look(picked, None), "inputs": self.picked,
            "outputs": self.outputs, **AT_ONCE,
        }  # fmt: skip


def build_watch() -> WatchPanel:
    """Lay the panel out. Buttons keep their places and figures their heights: nothing jumps."""
    picked = gr.Dropdown([], label="Run", elem_id="run", allow_custom_value=True)
    header = gr.HTML(render_busy("Reading the runs"), elem_id="run-header")
    with gr.Row():
        stop = gr.Button("Stop", elem_id="stop", interactive=False, min_width=90)
        resume = gr.Button("Resume", elem_id="resume", interactive=False, min_width=90)
        use = gr.Button(
            "Use in Classify", variant="primary", elem_id="use", interactive=False, min_width=150
        )
    message = gr.HTML("", elem_id="run-message")
    queue = ActionList(elem_id="queue")
    # Hidden, not absent: a figure that mounts while its first value arrives can miss it.
    with gr.Column(visible="hidden") as details:
        figures = _lay_out_figures()
    with gr.Accordion("Command lines and log", open=False, elem_id="run-log"):
        commands = gr.Textbox(
            label="The same on the command line", lines=3, buttons=["copy"], interactive=False,
            elem_id="run-commands",
        )  # fmt: skip
        log = gr.Textbox(label="What the run printed", lines=8, max_lines=16, interactive=False)
    seen = build_seen()
    return WatchPanel(
        picked, seen, header, stop, resume, use, message, queue, details, figures, commands, log
    )


def _lay_out_figures() -> dict[str, LiveFigure]:
    figures = {"error": _figure("error")}
    for pair in (("loss", "gradients"), ("learning_rate", "speed")):
        with gr.Row():
            for name in pair:
                with gr.Column(min_width=280):
                    figures[name] = _figure(name)
    return figures


def _figure(name: str) -> LiveFigure:
    return LiveFigure(height=RUN_HEIGHTS[name], elem_id=f"figure-{name}")


def look(picked: str | None, seen: Seen) -> Any:
    """Everything the panel shows of the run picked; nothing is sent where nothing changed.

    With no run picked (or a deleted one), the running run, else the newest, is shown.
    """
    runs = run_jobs.runs_folder()
    ensure_worker(runs)
    rows = describe_runs(runs)
    entries = [menu_entry(row) for row in rows]
    shown = _choose(picked, rows)
    row = next((row for row in rows if row["name"] == shown), None)
    queue = render_queue(rows)
    now = marks(shown, entries, row, queue)
    if seen == now:
        return gr.skip()
    # An open menu is left alone, and a choice made meanwhile is not taken back.
    is_same_menu = seen is not None and len(seen) > 1 and seen[1] == now[1] and shown == picked
    chosen = {} if shown == picked else {"value": shown}
    menu = gr.skip() if is_same_menu else gr.update(choices=entries, **chosen)
    if row is None:
        nothing = [NO_RUNS, "", _shown_if(False), *_buttons("", False), "", ""]
        return [menu, now, *nothing, *([None] * len(RUN_HEIGHTS))]
    folder = RunFolder(runs / row["name"])  # it may be gone by now, and is listed no more next time
    return [
        menu, now, render_run(row), queue, _shown_if(_has_curves(row)),
        *_buttons(row["state"], row.get("step", 0) > 0, row.get("is_stopping", False)),
        action_commands(row), log_tail(folder), *_draw(folder),
    ]  # fmt: skip


def _has_curves(row: dict[str, Any]) -> bool:
    """Whether there are points, or some are to be expected."""
    return bool(row.get("step")) or row["state"] in CAN_STOP


def _shown_if(is_shown: bool) -> Any:
    return gr.update(visible=is_shown or "hidden")


def _choose(picked: str | None, rows: list[dict[str, Any]]) -> str | None:
    names = [row["name"] for row in rows]
    if picked in names:
        return picked
    running = [row["name"] for row in rows if row["state"] == "running"]
    return (running or names or [None])[0]


def _draw(folder: RunFolder) -> list[Any]:
    from benchmarks.figures.run_curves import run_figures  # plotly is loaded with the first figure

    try:
        figures = run_figures(read_history(folder), folder.config())
    except (LabError, LookupError, TypeError):
        return [None] * len(RUN_HEIGHTS)
    return [figures[name] for name in RUN_HEIGHTS]


def _buttons(state: str, has_trained: bool, is_stopping: bool = False) -> list[Any]:
    """Stop, resume and use: usable where it makes sense."""
    return [
        gr.update(
            interactive=state in CAN_STOP and not is_stopping,
            value="Withdraw" if state == "queued" else "Stop",
        ),
        gr.update(interactive=state in CAN_RESUME),
        gr.update(interactive=state == "finished" or (has_trained and state in CAN_RESUME)),
    ]
