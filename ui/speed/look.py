"""One look at a result of speed: what the Speed tab shows of it now, and the files to keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from benchmarks.throughput.stored import StoredSpeed
from ui.child import reap
from ui.kept_files import write_once
from ui.seen import Seen, marks
from ui.speed import jobs
from ui.speed.view import (
    NO_RESULTS,
    menu_entry,
    render_comparison,
    render_machine,
    render_marks,
    render_progress,
    render_rows,
)

NOTHING_ELSE = ("nothing", "")


def look(
    picked: str | None, seen: Seen, model: str | None, threads: str | None, batch: str,
    against: str | None,
) -> Any:  # fmt: skip
    """Everything the panel shows of the result picked; nothing is sent where nothing changed."""
    reap()
    paths = jobs.list_files()
    entries = [menu_entry(path) for path in paths]
    known = {str(path): path for path in paths}
    shown = known.get(picked or "") or jobs.first_choice(paths)
    if shown is None:
        return _nothing(picked, seen)
    stored = jobs.read(shown)
    progress = render_progress(shown, stored)
    now = marks(shown, entries, progress, model, threads, batch, against, _stamp(shown))
    if seen == now:
        return gr.skip()
    menu = gr.update(choices=entries, **({} if str(shown) == picked else {"value": str(shown)}))
    is_live = shown == jobs.live_file()
    head = [menu, now, progress, gr.update(visible=is_live)]
    if stored is None:
        return [*head, gr.update(visible="hidden"), *[gr.skip()] * 12]
    others = [entry for entry in entries if entry[1] != str(shown)]
    return [
        *head, gr.update(visible=True), *_findings(stored, model, threads, batch),
        *_files(shown, stored, is_live), *_compared(shown, others, known.get(against or "")),
    ]  # fmt: skip


def _nothing(picked: str | None, seen: Seen) -> Any:
    """The empty state; a measurement that ended before its first row says how."""
    last = jobs.last_file()
    problem = render_progress(last, None) if last is not None and str(last) == picked else ""
    now = marks("none", problem)
    if seen == now:
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
    # A choice that stands is not sent: a newer one may have been made meanwhile.
    value = {} if now == (chosen or "") else {"value": now or None}
    return gr.update(choices=there, visible=len(there) > 1, **value), now


def _files(path: Path, stored: StoredSpeed, is_live: bool) -> list[Any]:
    """CSV and report to take along, once it has ended."""
    if is_live or not stored.measured:
        return [gr.update(value=None, interactive=False)] * 2
    return [gr.update(value=file, interactive=True) for file in _write(path, stored)]


def _write(path: Path, stored: StoredSpeed) -> list[str]:
    """Both files, once for each state of a result: turning to another model makes none."""
    from benchmarks.throughput.report import speed_csv, speed_html

    name = f"speed-{path.stem}"
    return write_once(
        (path, _stamp(path)),
        lambda: {f"{name}.csv": speed_csv(stored), f"{name}.html": speed_html(stored)},
    )


def _compared(shown: Path, others: list[tuple[str, str]], against: Path | None) -> list[Any]:
    first = against if against is not None and against != shown else None
    value = {} if first else {"value": ""}
    menu = gr.update(choices=[NOTHING_ELSE, *others], **value)
    return [menu, render_comparison(first, shown) if first else ""]
