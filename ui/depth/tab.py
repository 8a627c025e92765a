"""The Depth tab: does a deeper net do better? A study's plot, what it shows, and the curves behind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from benchmarks.depth.study import Study, describe, list_studies, read_study
from resnet_core.errors import LabError
from ui import run_jobs
from ui.depth.study_form import build_study_form, start_study
from ui.depth.study_view import NO_STUDY, render_progress, render_study_table
from ui.depth.work import build_work
from ui.events import AT_ONCE, IN_TURN
from ui.figure import LiveFigure
from ui.html import render_busy, render_problem
from ui.kept_files import write_once
from ui.seen import Seen, build_seen, marks
from ui.why.section import WhySection, build_why

X_AXES = [
    ("depth", "depth"),
    ("parameters", "params"),
    ("multiply-adds", "multiply_adds"),
    ("time", "seconds"),
]
SHOWN = [("both", "both"), ("training", "train"), ("test", "test")]
PAPERS = [("without", False), ("beside ours", True)]
LOOK_EVERY_SECONDS = 2.0
LEAD = (
    "Is a deeper net a better net? The same training at every depth, with skip connections and "
    "without them."
)
CURVES_HINT = (
    '<p class="lab-note">The training curves behind the points: choose a net, or click its point '
    "above.</p>"
)
# Its progress stands a page above the form; what is wrong with the form stands in it.
TO_THE_STUDY = """() => document.querySelector('#study-answer .lab-problem') ||
  document.querySelector('#study').scrollIntoView({block: 'start'})"""
EXTREMES = ""
EXTREMES_ENTRY = ("the shallowest and the deepest of each family", EXTREMES)


@dataclass(frozen=True)
class StudyPanel:
    """What a look at a study fills."""

    picked: gr.Dropdown
    chosen: list[gr.components.Component]
    """Axis, split and whether the papers' figures are shown."""
    seen: gr.JSON
    progress: gr.HTML
    stop: gr.Button
    figure: LiveFigure
    verdicts: gr.HTML
    curves: LiveFigure
    curves_of: gr.Dropdown
    table: gr.HTML
    downloads: tuple[gr.DownloadButton, gr.DownloadButton]

    @property
    def inputs(self) -> list[Any]:
        return [self.picked, self.seen, *self.chosen, self.curves_of]

    @property
    def outputs(self) -> list[Any]:
        """In the order in which `look` gives their values."""
        return [
            self.picked, self.seen, self.progress, self.stop, self.figure, self.verdicts,
            self.curves, self.table, *self.downloads, self.curves_of,
        ]  # fmt: skip


def build_depth_tab() -> tuple[gr.Timer, WhySection]:
    """Lay the tab out, then wire it. The timer looks at the study while the tab is open."""
    gr.Markdown(LEAD, elem_classes="lab-lead")
    panel = _lay_out()
    form = build_study_form()
    why = build_why()
    build_work()
    timer = gr.Timer(LOOK_EVERY_SECONDS, active=False)
    _wire(panel, timer)
    form.start.click(start_study, form.inputs, [form.said, panel.picked], **IN_TURN).then(
        lambda *now: look(now[0], None, *now[2:]), panel.inputs, panel.outputs, **AT_ONCE
    ).then(None, js=TO_THE_STUDY)
    return timer, why


def _lay_out() -> StudyPanel:
    picked = gr.Dropdown([], label="Study", elem_id="study", allow_custom_value=True)
    with gr.Row():
        x = gr.Radio(X_AXES, value="depth", label="Error over", elem_id="study-x", scale=6)
        show = gr.Radio(SHOWN, value="both", label="Images", elem_id="study-show", scale=4)
        papers = gr.Radio(
            PAPERS,
            value=False,
            label="The papers' figures, over depth",
            elem_id="study-papers",
            scale=3,
        )
    with gr.Row():
        progress = gr.HTML(render_busy("Reading the studies"), elem_id="study-progress")
        stop = gr.Button("Stop", elem_id="study-stop", visible=False, min_width=100, scale=0)
    with gr.Row(equal_height=False):
        with gr.Column(scale=7, min_width=320):
            figure = LiveFigure(height=400, elem_id="study-figure")
            gr.HTML(CURVES_HINT)
            curves_of = gr.Dropdown(
                [EXTREMES_ENTRY], value=EXTREMES, label="Curves of", elem_id="study-curves-of",
                allow_custom_value=True,
            )  # fmt: skip
            curves = LiveFigure(height=320, elem_id="study-curves")
        with gr.Column(scale=5, min_width=320):
            verdicts = gr.HTML("", elem_id="study-verdicts")
    with gr.Accordion("Every net as a table, and files to keep", open=False, elem_id="study-table"):
        table = gr.HTML("")
        with gr.Row():
            as_csv = gr.DownloadButton("Table as CSV", interactive=False, elem_id="study-csv")
            as_html = gr.DownloadButton(
                "Report as one HTML file", interactive=False, elem_id="study-html"
            )
    return StudyPanel(
        picked, [x, show, papers], build_seen(), progress, stop, figure, verdicts,
        curves, curves_of, table, (as_csv, as_html),
    )  # fmt: skip


def _wire(panel: StudyPanel, timer: gr.Timer) -> None:
    timer.tick(look, panel.inputs, panel.outputs, **AT_ONCE)
    for part in (*panel.chosen, panel.curves_of):
        part.input(look, panel.inputs, panel.outputs, **AT_ONCE)
    # Another study: the net that was chosen in the last one is no longer meant.
    panel.picked.input(lambda: EXTREMES, None, panel.curves_of, **AT_ONCE).then(
        look, panel.inputs, panel.outputs, **AT_ONCE
    )
    panel.figure.click(_clicked, None, panel.curves_of, **AT_ONCE).then(
        look, panel.inputs, panel.outputs, **AT_ONCE
    )
    panel.stop.click(_stop, panel.picked, None, **IN_TURN).then(
        look, panel.inputs, panel.outputs, **AT_ONCE
    )


def _clicked(event: gr.EventData) -> str:
    """The menu's value for the net whose point it was."""
    family, depth, *_ = event.customdata
    return _key(str(family), int(depth))


def _key(family: str, depth: int) -> str:
    return f"{family} {depth}"


def _stop(picked: str | None) -> None:
    try:
        run_jobs.stop_study(run_jobs.study_at(picked))
    except LabError as error:
        gr.Warning(str(error))


def look(
    picked: str | None,
    seen: Seen,
    x: str,
    show: str,
    papers: bool,
    curves_of: str | None,
) -> Any:
    """Everything the panel shows of the study picked; nothing is sent where nothing changed."""
    from benchmarks.depth import engine

    paths = [str(path) for path in list_studies()]
    shown = picked if picked in paths else next(iter(paths), None)
    if shown is None:
        return gr.skip() if seen else _nothing()
    entries = [_entry(path) for path in paths]
    try:
        study = read_study(Path(shown))
        progress = engine.look(study)
    except LabError as error:
        now = marks(shown, entries, str(error))
        return gr.skip() if seen == now else _damaged(shown, entries, now, error)
    now = marks(shown, entries, progress, x, show, papers, curves_of)
    if seen == now:
        return gr.skip()
    menu = gr.update(choices=entries, **({} if shown == picked else {"value": shown}))
    return [
        menu,
        now,
        render_progress(study, progress),
        gr.update(visible=progress.is_moving, interactive=not progress.is_stopping),
        *_findings(study, x, show, papers, curves_of),
    ]


def _damaged(shown: str, entries: list[tuple[str, str]], now: Seen, error: LabError) -> list[Any]:
    """The reason, nothing of the study that was shown before, and a menu with all the others."""
    menu = gr.update(choices=entries, value=shown)
    files = [gr.update(value=None, interactive=False)] * 2
    return [
        menu,
        now,
        render_problem(str(error)),
        gr.update(visible=False),
        None,
        "",
        None,
        "",
        *files,
        gr.update(choices=[EXTREMES_ENTRY], value=EXTREMES),
    ]


def _nothing() -> list[Any]:
    return [gr.update(choices=[]), marks("none"), NO_STUDY, *[gr.skip()] * 8]


def _entry(path: str) -> tuple[str, str]:
    try:
        study = read_study(Path(path))
        whose = "shipped" if run_jobs.is_shipped(study) else "yours"
        return f"{describe(study)} · {len(study.runs)} runs · {whose}", path
    except LabError:
        return f"{Path(path).name} · damaged", path


def _findings(study: Study, x: str, show: str, papers: bool, curves_of: str | None) -> list[Any]:
    """Figure, verdicts, curves, table and files of what is finished, and the menu of its nets."""
    from benchmarks.depth.page import render_verdicts
    from benchmarks.depth.results import read_results
    from benchmarks.depth.verdicts import judge
    from benchmarks.figures.depth import depth_figure

    cells = read_results(study)
    verdicts = render_verdicts(judge(cells, study.recipe.epochs))
    files = [gr.update(value=file, interactive=bool(cells)) for file in _write(study, cells)]
    return [
        depth_figure(cells, x, show, papers),
        f'<div class="lab-findings"><h3>What it shows</h3>{verdicts}</div>',
        _curves(cells, curves_of),
        render_study_table(study, cells),
        *files,
        _menu_of_nets(cells, curves_of),
    ]


def _menu_of_nets(cells: Sequence[Any], chosen: str | None) -> Any:
    entries = [EXTREMES_ENTRY, *((cell.title, _key(cell.family, cell.depth)) for cell in cells)]
    is_there = chosen in [value for _, value in entries]
    # A point of the papers may be of a net that this study does not have.
    return gr.update(choices=entries, **({} if is_there else {"value": EXTREMES}))


def _curves(cells: Sequence[Any], curves_of: str | None) -> Any:
    from benchmarks.figures.compare import compare_figure

    wanted = [cell for cell in cells if _key(cell.family, cell.depth) == curves_of]
    folders = [run.folder for cell in wanted or _extremes(cells) for run in cell.runs]
    return compare_figure(folders, group_by="seeds") if folders else None


def _extremes(cells: Sequence[Any]) -> list[Any]:
    """The shallowest and the deepest net of each family: the paper's Fig. 1 and Fig. 6."""
    families = dict.fromkeys(cell.family for cell in cells)
    chosen = []
    for family in families:
        nets = [cell for cell in cells if cell.family == family]
        chosen += nets if len(nets) < 2 else [nets[0], nets[-1]]
    return chosen


def _write(study: Study, cells: Sequence[Any]) -> Sequence[str | None]:
    """Table and report, once for each state of the results: a page looks every two seconds."""
    from benchmarks.depth.page import study_html
    from benchmarks.depth.report import study_csv

    if not cells:
        return [None, None]
    table = study_csv(cells)
    return write_once(
        (study.path, table),
        lambda: {f"{study.name}.csv": table, f"{study.name}.html": study_html(study)},
    )
