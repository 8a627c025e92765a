"""The Speed tab: which engine answers fastest, on this machine and on others.

The page only reads files: what ships, or what a process that it started is writing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from benchmarks.throughput.stored import StoredSpeed, read_speed
from ui import speed_jobs
from ui.child import reap
from ui.events import AT_ONCE
from ui.figure import LiveFigure
from ui.html import render_busy
from ui.speed_form import SpeedForm, build_speed_form, offered_models, start_measuring
from ui.speed_view import (
    NO_RESULTS,
    menu_entry,
    render_comparison,
    render_machine,
    render_marks,
    render_progress,
    render_rows,
)

LOOK_EVERY_SECONDS = 2.0
NOTHING_SEEN: tuple[Any, ...] = ()
LEAD = (
    "Which engine answers fastest, and what does a lower error cost? The same nets on every engine, "
    "their answers checked before their speed."
)
BATCHES = [("at its best batch", "best"), ("one at a time", "1")]
NOTHING_ELSE = ("nothing", "")


@dataclass(frozen=True)
class SpeedPanel:
    """What a look at a result fills."""

    picked: gr.Dropdown
    seen: gr.State
    progress: gr.HTML
    stop: gr.Button
    found: gr.Column
    model: gr.Radio
    threads: gr.Radio
    batch: gr.Radio
    figures: list[LiveFigure]
    marks: gr.HTML
    machine: gr.HTML
    rows: gr.HTML
    downloads: list[gr.DownloadButton]
    against: gr.Dropdown
    comparison: gr.HTML

    @property
    def chosen(self) -> list[gr.components.Component]:
        """What of a result is shown."""
        return [self.model, self.threads, self.batch, self.against]

    @property
    def inputs(self) -> list[Any]:
        return [self.picked, self.seen, *self.chosen]

    @property
    def outputs(self) -> list[Any]:
        """In the order in which `look` gives their values."""
        return [
            self.picked, self.seen, self.progress, self.stop, self.found, self.model, self.threads,
            *self.figures, self.marks, self.machine, self.rows, *self.downloads, self.against, self.comparison,
        ]  # fmt: skip


@dataclass(frozen=True)
class SpeedTab:
    """What the layout wires: looking while the tab is open."""

    timer: gr.Timer
    form: SpeedForm

    def opening(self) -> dict[str, Any]:
        """The arguments of the event with which the tab comes into sight: new runs are offered."""
        return {
            "fn": lambda: gr.update(choices=offered_models()), "inputs": None,
            "outputs": self.form.models, **AT_ONCE,
        }  # fmt: skip


def build_speed_tab() -> SpeedTab:
    """Lay the tab out, then wire it. The timer looks at the result while the tab is open."""
    gr.Markdown(LEAD, elem_classes="lab-lead")
    panel = _lay_out()
    form = build_speed_form()
    timer = gr.Timer(LOOK_EVERY_SECONDS, active=False)
    again = {
        "fn": lambda picked, seen, *rest: look(picked, NOTHING_SEEN, *rest),
        "inputs": panel.inputs, "outputs": panel.outputs, **AT_ONCE,
    }  # fmt: skip
    timer.tick(look, panel.inputs, panel.outputs, **AT_ONCE)
    for part in (panel.picked, *panel.chosen):
        part.input(look, panel.inputs, panel.outputs, **AT_ONCE)
    panel.stop.click(speed_jobs.stop, None, None, **AT_ONCE).then(**again)
    form.start.click(start_measuring, form.inputs, [form.said, panel.picked], **AT_ONCE).then(
        **again
    )
    return SpeedTab(timer, form)


def _lay_out() -> SpeedPanel:
    picked = gr.Dropdown([], label="Result", elem_id="speed", allow_custom_value=True)
    with gr.Row():
        progress = gr.HTML(render_busy("Reading the results"), elem_id="speed-progress")
        stop = gr.Button("Stop", elem_id="speed-stop", visible=False, min_width=100, scale=0)
    # Hidden, not absent: a figure that mounts while its first value arrives can miss it.
    with gr.Column(visible="hidden") as found:
        with gr.Row():
            model = gr.Radio([], label="Model", elem_id="speed-model", scale=5)
            threads = gr.Radio([], label="Threads", elem_id="speed-of-threads", scale=2)
        with gr.Row():
            by_batch = _figure("batch", 7, 400)
            latency = _figure("latency", 5, 400)
        with gr.Row(equal_height=False):
            with gr.Column(scale=7, min_width=340):
                batch = gr.Radio(
                    BATCHES, value="best", label="Each engine", elem_id="speed-at", container=False
                )
                front = LiveFigure(height=400, elem_id="speed-front")
                marks = gr.HTML("", elem_id="speed-marks")
            with gr.Column(scale=5, min_width=320):
                machine = gr.HTML("", elem_id="speed-machine")
        with gr.Accordion(
            "Every case as a table, and files to keep", open=False, elem_id="speed-table"
        ):
            rows = gr.HTML("")
            with gr.Row():
                downloads = [
                    gr.DownloadButton(title, interactive=False, elem_id=f"speed-{kind}")
                    for title, kind in (
                        ("Table as CSV", "csv"),
                        ("Report as one HTML file", "html"),
                    )
                ]
        with gr.Accordion("Compare with another result", open=False, elem_id="speed-compare"):
            against = gr.Dropdown(
                [NOTHING_ELSE], value="", label="First, which this is compared with",
                elem_id="speed-against",
            )  # fmt: skip
            comparison = gr.HTML("", elem_id="speed-comparison")
    return SpeedPanel(
        picked, gr.State(NOTHING_SEEN), progress, stop, found, model, threads, batch,
        [by_batch, latency, front], marks, machine, rows, downloads, against, comparison,
    )  # fmt: skip


def _figure(name: str, scale: int, height: int) -> LiveFigure:
    with gr.Column(scale=scale, min_width=340):
        return LiveFigure(height=height, elem_id=f"speed-{name}")


def look(
    picked: str | None, seen: tuple[Any, ...], model: str | None, threads: str | None, batch: str,
    against: str | None,
) -> Any:  # fmt: skip
    """Everything the panel shows of the result picked; nothing is sent where nothing changed."""
    reap()
    paths = speed_jobs.list_files()
    entries = [menu_entry(path) for path in paths]
    known = {str(path): path for path in paths}
    shown = known.get(picked or "") or speed_jobs.first_choice(paths)
    if shown is None:
        return _nothing(picked, seen)
    stored = speed_jobs.read(shown)
    progress = render_progress(shown, stored)
    now = (str(shown), str(entries), progress, model, threads, batch, against, _stamp(shown))
    if tuple(seen) == now:
        return gr.skip()
    menu = gr.update(choices=entries, **({} if str(shown) == picked else {"value": str(shown)}))
    is_live = shown == speed_jobs.live_file()
    head = [menu, now, progress, gr.update(visible=is_live)]
    if stored is None:
        return [*head, gr.update(visible="hidden"), *[gr.skip()] * 12]
    others = [entry for entry in entries if entry[1] != str(shown)]
    return [
        *head, gr.update(visible=True), *_findings(stored, model, threads, batch),
        *_files(shown, stored, is_live), *_compared(shown, others, known.get(against or "")),
    ]  # fmt: skip


def _nothing(picked: str | None, seen: tuple[Any, ...]) -> Any:
    """The empty state; a measurement that ended before its first row says how."""
    last = speed_jobs.last_file()
    problem = render_progress(last, None) if last is not None and str(last) == picked else ""
    now = ("none", problem)
    if tuple(seen) == now:
        return gr.skip()
    head = [gr.update(choices=[]), now, problem or NO_RESULTS, gr.update(visible=False)]
    return [*head, gr.update(visible="hidden"), *[gr.skip()] * 12]


def _stamp(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _findings(stored: StoredSpeed, model: str | None, threads: str | None, batch: str) -> list[Any]:
    """Menus of what was measured, figures, machine and rows."""
    from benchmarks.figures.speed_batch import batch_figure
    from benchmarks.figures.speed_front import front_figure
    from benchmarks.figures.speed_latency import latency_figure

    models, model = _offer([row["model"] for row in stored.rows], model)
    counts, threads = _offer([str(row["threads"]) for row in stored.rows], threads, "all")
    return [
        models, counts, batch_figure(stored, model, threads), latency_figure(stored, model, threads),
        front_figure(stored, batch), render_marks(stored), render_machine(stored), render_rows(stored),
    ]  # fmt: skip


def _offer(said: Sequence[str], chosen: str | None, first: str = "") -> tuple[Any, str]:
    """A radio of what there is, in sight where there is a choice, and what it stands on."""
    there = list(dict.fromkeys(said))
    now = next(name for name in (chosen, first, *there) if name in there) if there else ""
    return gr.update(choices=there, value=now or None, visible=len(there) > 1), now


def _files(path: Path, stored: StoredSpeed, is_live: bool) -> list[Any]:
    """CSV and report to take along, once it has ended."""
    if is_live or not stored.measured:
        return [gr.update(value=None, interactive=False)] * 2
    return [gr.update(value=file, interactive=True) for file in _write(path, _stamp(path))]


@lru_cache(maxsize=16)
def _write(path: Path, written_at: float) -> list[str]:
    """Both files, once for each state of a result: turning to another model makes none."""
    from benchmarks.throughput.report import speed_csv, speed_html

    stored = read_speed(path)
    folder = Path(tempfile.mkdtemp(prefix="resnet-lab-"))
    texts = {"csv": speed_csv(stored), "html": speed_html(stored)}
    files = {kind: folder / f"speed-{path.stem}.{kind}" for kind in texts}
    for kind, file in files.items():
        file.write_text(texts[kind], encoding="utf-8")
    return [str(file) for file in files.values()]


def _compared(shown: Path, others: list[tuple[str, str]], against: Path | None) -> list[Any]:
    first = against if against is not None and against != shown else None
    menu = gr.update(choices=[NOTHING_ELSE, *others], value=str(first) if first else "")
    return [menu, render_comparison(first, shown) if first else ""]
