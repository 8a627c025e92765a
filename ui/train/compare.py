"""Runs over one another: curves, final figures, and files to take along."""

from __future__ import annotations

from typing import Any

import gradio as gr

from resnet_core.errors import LabError
from resnet_core.runs.folder import RunFolder
from resnet_core.runs.summary import describe_runs
from ui import run_jobs
from ui.command_lines import RUNS, command_line
from ui.events import AT_ONCE, settled
from ui.figure import LiveFigure
from ui.html import render_command, render_problem, render_table
from ui.kept_files import write_downloads
from ui.train.run_view import menu_entry

X_AXES = [("epochs", "epoch"), ("images", "images"), ("training time", "seconds")]
SHOWN = [("training and validation", "both"), ("training", "train"), ("validation", "validation")]
GROUPINGS = [("each run", "run"), ("mean over seeds", "seeds")]
NOTHING_PICKED = (
    '<p class="lab-note">Choose two runs or more; seeds of one net can be averaged.</p>'
)


def build_compare() -> None:
    """Lay the comparison out, folded, then wire it."""
    with gr.Accordion("Compare runs", open=False, elem_id="compare-runs") as accordion:
        picked = gr.Dropdown([], multiselect=True, label="Runs", elem_id="compared")
        with gr.Row():
            y = gr.Radio(["error", "loss"], value="error", label="Figure", elem_id="compare-y")
            show = gr.Radio(SHOWN, value="both", label="Images", elem_id="compare-show")
            x = gr.Radio(X_AXES, value="epoch", label="Over", elem_id="compare-x")
            group = gr.Radio(GROUPINGS, value="run", label="A line for", elem_id="compare-group")
        figure = LiveFigure(height=360, elem_id="compare-figure")
        table = gr.HTML(NOTHING_PICKED, elem_id="compare-table")
        with gr.Row():
            as_csv = gr.DownloadButton("Curves as CSV", interactive=False, elem_id="compare-csv")
            as_html = gr.DownloadButton(
                "Report as one HTML file", interactive=False, elem_id="compare-html"
            )
    choices = [picked, x, y, show, group]
    accordion.expand(_offer, picked, picked, **AT_ONCE)
    gr.on(
        [part.change for part in choices],
        _compare, choices, [figure, table, as_csv, as_html], **settled("comparison"),
    )  # fmt: skip


def _offer(picked: list[str]) -> Any:
    """The runs there are; the newest few are chosen at first."""
    rows = [row for row in describe_runs(run_jobs.runs_folder()) if row.get("step")]
    names = [row["name"] for row in rows]
    kept = [name for name in picked or [] if name in names] or names[:4]
    return gr.update(choices=[menu_entry(row) for row in rows], value=kept)


def _compare(names: list[str], x: str, y: str, show: str, group: str) -> list[Any]:
    from benchmarks.figures.compare import compare_figure  # plotly is loaded with the first figure

    try:
        folders = [run_jobs.run_named(name) for name in names or []]
        if not folders:
            return [None, NOTHING_PICKED, *[gr.update(value=None, interactive=False)] * 2]
        figure = compare_figure(folders, x, y, show, group)
        files = [gr.update(value=file, interactive=True) for file in _write(folders, x, group)]
        return [figure, _table(folders, names), *files]
    except LabError as error:
        return [gr.skip(), render_problem(str(error)), gr.skip(), gr.skip()]


def _write(folders: list[RunFolder], x: str, group: str) -> list[str]:
    from benchmarks.figures.downloads import comparison_csv, comparison_html

    files: dict[str, str | bytes] = {
        "runs.csv": comparison_csv(folders),
        "runs.html": comparison_html(folders, x, group, "Runs compared"),
    }
    return write_downloads(files)


def _table(folders: list[RunFolder], names: list[str]) -> str:
    from benchmarks.figures.final_table import COLUMNS, cells, final_table

    headings = [heading for heading, _ in COLUMNS]
    kept = ("--csv", "runs.csv", "--html", "runs.html")
    command = command_line("benchmarks", "compare", *names, *kept, folders=(RUNS,))
    rows = [cells(row) for row in final_table(folders)]
    return render_table(headings, rows) + render_command(command)
