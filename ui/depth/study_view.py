"""A study in words, bars and rows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from benchmarks.depth.study import Study, describe
from benchmarks.figures.style import clock
from resnet_core.runs.folder import RunState
from ui.html import render_command, render_progress_bar, render_table

if TYPE_CHECKING:
    from benchmarks.depth.engine import StudyProgress

NO_STUDY = (
    '<div class="lab-empty"><p>No study yet.</p>'
    "<p>Start one below: its first point comes with its first trained net.</p></div>"
)
TOLD = (RunState.FAILED, RunState.STOPPED, RunState.INTERRUPTED)


def render_progress(study: Study, progress: StudyProgress) -> str:
    """How far it is: a bar while it trains, one line when it does not."""
    finished, total = progress.count(RunState.FINISHED), len(study.runs)
    ended = [f"{finished} of {total} nets trained"]
    ended += [f"{n} {state.value}" for state in TOLD if (n := _begun(progress, state))]
    words, bar = [], ""
    if progress.is_moving:
        words += [_running(row) for row in progress.rows if row["state"] == "running"]
        bar = render_progress_bar(progress.share_done, "Progress of the study", "resnet_v1")
    elif finished < total:
        words.append("Start with the same settings goes on where it stands")
    return (
        f'<div class="lab-study"><p class="lab-note">{escape(describe(study))} · '
        # Only what changes with a net is announced: the rest changes all the time.
        f'<span role="status">{escape(" · ".join(ended))}</span>'
        f"{''.join(f' · {escape(word)}' for word in words)}</p>{bar}</div>"
    )


def _begun(progress: StudyProgress, state: RunState) -> int:
    """How many are in this state; a net that never began is merely still to come."""
    rows = [row for row in progress.rows if row["state"] == state.value]
    return sum(state is RunState.FAILED or row["step"] > 0 for row in rows)


def _running(row: dict[str, Any]) -> str:
    if row["is_stopping"]:
        return f"stopping {row['model']}, seed {row['seed']}, after this step"
    left = f", {clock(row['eta_seconds'])} left" if row["eta_seconds"] is not None else ""
    return f"training {row['model']}, seed {row['seed']}: epoch {row['epoch']:.1f} of {row['epochs']:g}{left}"


def render_study_table(study: Study, cells: Sequence[Any]) -> str:
    """A row a net, and the commands that made the study."""
    from benchmarks.depth.report import HEADINGS, cells_in_words
    from benchmarks.depth.results import left_out

    table = render_table(HEADINGS, [cells_in_words(cell) for cell in cells])
    note = (
        '<p class="lab-note">± is half of the 95 % interval of a mean over seeds. Training error '
        "is the mean over the last epoch's augmented images.</p>"
    )
    outside = "".join(f'<p class="lab-note">{escape(each)}</p>' for each in left_out(study))
    return table + note + outside + render_command("\n".join(study.commands))
