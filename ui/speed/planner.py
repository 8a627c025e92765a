"""The planner on the Speed tab: the best answer within a limit of time and error, on this machine.

It chooses among what `python -m export tune` found here; the page can start that, for every model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from export.catalogue import Exported, list_exported
from export.plan import Limits, Option, options_of, plan
from export.tuned import Tuned, read_tuned
from resnet_core.errors import LabError
from ui import run_jobs
from ui.child import reap
from ui.command_lines import RUNS_BY_ENVIRONMENT, command_line
from ui.events import AT_ONCE, settled
from ui.html import render_busy, render_command, render_problem, render_table
from ui.seen import Seen, build_seen, marks
from ui.speed import jobs, tune_jobs

LATENCY_MS = 20.0
ERROR_PERCENT = 10.0
HEADINGS = ("model", "engine", "p99, one picture", "test error", "in batches", "within both")
NOTHING_MEASURED = (
    '<p class="lab-note">No engine was measured on a model’s test images on this machine yet. '
    "“Measure the engines” takes about a minute a model; what it finds also chooses the engine in "
    "Classify.</p>"
)


@dataclass(frozen=True)
class Planner:
    """What the layout wires: the model and engine that were found, to be used in Classify."""

    use: gr.Button
    found: gr.State


def build_planner(timer: gr.Timer) -> Planner:
    """Lay the folded section out and wire it.

    Args:
        timer: the tab's own; with it, what a measurement finds appears.
    """
    with (
        gr.Accordion(
            "Plan: which model on which engine, within your limits",
            open=False,
            elem_id="speed-plan",
        ),
        gr.Row(equal_height=False),
    ):
        with gr.Column(scale=4, min_width=300):
            latency = _limit(LATENCY_MS, "At most, ms at the 99th percentile", "latency")
            error = _limit(ERROR_PERCENT, "At most, % test error", "error")
            with gr.Row():
                measure = gr.Button("Measure the engines", elem_id="plan-measure", min_width=220)
                use = gr.Button(
                    "Use in Classify", variant="primary", elem_id="plan-use", interactive=False
                )
        with gr.Column(scale=8, min_width=320):
            answer = gr.HTML(render_busy("Reading what was measured"), elem_id="plan-answer")
    found, seen = gr.State(None), build_seen()
    outputs = [answer, measure, use, found, seen]
    timer.tick(look, [latency, error, seen], outputs, **AT_ONCE)
    gr.on(
        [latency.change, error.change],
        lambda latency, error: look(latency, error, None), [latency, error], outputs, **settled("plan"),
    )  # fmt: skip
    measure.click(_measure, [latency, error], outputs, **AT_ONCE)
    return Planner(use, found)


def _limit(value: float, label: str, name: str) -> gr.Number:
    return gr.Number(value, label=label, minimum=0, elem_id=f"plan-{name}")


def look(latency: float | None, error: float | None, seen: Seen) -> Any:
    """The plan within these limits as values of the outputs; nothing where nothing changed."""
    models = list_exported()
    measured = [tuned for model in models if (tuned := read_tuned(model.file))]
    is_measuring = tune_jobs.asked_for().process_id() is not None
    now = marks(latency, error, measured, is_measuring, tune_jobs.asked_for().problem())
    if seen == now:
        return gr.skip()
    return [*_told(latency, error, measured, is_measuring, models), now]


def _told(
    latency: float | None, error: float | None, measured: list[Tuned], is_measuring: bool,
    models: list[Exported],
) -> list[Any]:  # fmt: skip
    said, chosen = _answer(latency, error, options_of(measured))
    if is_measuring:
        what = f"Measuring every engine: {len(measured)} of {len(models)} models done"
        said = render_busy(what) + said
    elif problem := tune_jobs.asked_for().problem():
        said = render_problem(problem) + said
    found = (chosen.model, chosen.engine) if chosen else None
    return [
        said, gr.update(interactive=not is_measuring), gr.update(interactive=found is not None),
        found,
    ]  # fmt: skip


def _answer(
    latency: float | None, error: float | None, options: list[Option]
) -> tuple[str, Option | None]:
    """In words and as a table, and what was chosen, if anything was."""
    if not options:
        return NOTHING_MEASURED, None
    if not latency or not error or latency <= 0 or error <= 0:
        return render_problem("Both limits should be more than 0."), None
    limits = Limits(latency, error)
    table = _render_options(options, limits)
    try:
        chosen = plan(options, limits)
    except LabError as problem:
        return render_problem(str(problem)) + table, None
    asked = ("--latency-ms", f"{latency:g}", "--error", f"{error:g}")
    # What was measured here lies among the runs.
    command = command_line("export", "plan", *asked, folders=(RUNS_BY_ENVIRONMENT,))
    return f'<p role="status"><b>{chosen}</b></p>{table}{render_command(command)}', chosen


def _render_options(options: list[Option], limits: Limits) -> str:
    ranked = sorted(
        options, key=lambda each: (not each.meets(limits), each.error_percent, each.p99_ms)
    )
    rows = [
        (
            each.model, each.engine, f"{each.p99_ms:.2f} ms", f"{each.error_percent:.2f} %",
            f"{each.images_per_second:,.0f} images/s", "yes" if each.meets(limits) else "no",
        )
        for each in ranked
    ]  # fmt: skip
    return render_table(HEADINGS, rows)


def _measure(latency: float | None, error: float | None) -> Any:
    """Start `python -m export tune` for every model, unless it runs; it can outlive the app."""
    reap()
    if any(row["state"] == "running" for row in run_jobs.all_rows()):
        said = "A net is training: what is measured beside it would choose for a busy machine. Stop it, or wait."
        return [render_problem(said), *[gr.skip()] * 4]
    if jobs.live_file():
        said = "Speed is being measured: the two would disturb each other. Stop it, or wait."
        return [render_problem(said), *[gr.skip()] * 4]
    if tune_jobs.asked_for().process_id() is None:
        tune_jobs.start(tune_jobs.asked_for(), [model.name for model in list_exported()])
    return look(latency, error, None)
