"""What bounds an answer: latency against load, and the machine's roofline; read from their files.

Both are measured on the command line. Shown is a result of the machine whose speed is looked at, or
else of another: a person's own newest file of each kind before the first that ships.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from benchmarks.load.stored import FORMAT as LOAD
from benchmarks.load.stored import LABEL
from benchmarks.throughput.machine import machine_name
from benchmarks.throughput.readable import is_environment
from benchmarks.throughput.stored import SHIPPED_FOLDER
from resnet_core.files import read_json
from ui.command_lines import DATA, RUNS, command_line, short_path
from ui.events import AT_ONCE, turning
from ui.figure import LiveFigure
from ui.html import render_command
from ui.speed import jobs

ROOFLINE = "resnet-lab-roofline-1"
AWAY = ["lab-away"]
LOOK_EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class Kind:
    """One kind of result: how it is called, and the command that makes it."""

    format: str
    lead: str
    words: tuple[str, ...]
    """After `python -m benchmarks`; the file to write follows."""
    file: str
    """Its name, in the folder of results that this page reads."""
    folders: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        file = short_path(jobs.folder() / self.file)
        return command_line("benchmarks", *self.words, "--json", file, folders=self.folders)


KINDS = {
    "load": Kind(
        LOAD,
        "How long an answer takes when questions come at random moments, so many a second: "
        f"MLPerf’s LoadGen asks. {LABEL}: neither its rules nor its audit.",
        (
            "load",
            "--model",
            "resnet20_v1",
            "--engine",
            "openvino-cpu,onnxruntime-cpu",
            "--scenarios",
            "server",
        ),
        "load.json",
        (DATA,),
    ),
    "roofline": Kind(
        ROOFLINE,
        "How much of what the machine can do an engine reaches: multiplying is one bound, moving "
        "numbers the other.",
        ("roofline", "--models", "resnet20_v1,resnet56_v1", "--throughput", "speed.json"),
        "roofline.json",
        (RUNS,),
    ),
}


def build_speed_bounds(picked: gr.Dropdown) -> None:
    """Lay the folded section out and wire it; files are read while it is unfolded.

    Args:
        picked: has the path of the result that the tab shows.
    """
    seen = gr.State("")
    # Parts of a folded section are not there: one that is told anything comes without its height
    # later. So it is asked what is picked only while it is unfolded.
    timer = gr.Timer(LOOK_EVERY_SECONDS, active=False)
    with gr.Accordion(
        "Latency against load, and the machine’s roofline", open=False, elem_id="speed-bounds"
    ) as accordion:
        parts: list[Any] = []
        with gr.Row(equal_height=False):
            for name, kind in KINDS.items():
                with gr.Column(min_width=340):
                    gr.HTML(f'<p class="lab-note">{escape(kind.lead)}</p>')
                    # Out of sight, not absent: a figure that mounts while its value arrives misses it.
                    with gr.Column(elem_classes=AWAY) as place:
                        figure = LiveFigure(height=380, elem_id=f"speed-{name}-figure")
                    parts += [place, figure]
                    parts.append(gr.HTML(_tell(kind, None), elem_id=f"speed-{name}"))
    accordion.expand(lambda path: [path, *_look(path)], picked, [seen, *parts], **AT_ONCE)
    accordion.expand(outputs=timer, **turning([True]))
    accordion.collapse(outputs=timer, **turning([False]))
    timer.tick(
        lambda path, shown: [gr.skip()] * (1 + len(parts)) if path == shown else [path, *_look(path)],
        [picked, seen], [seen, *parts], **AT_ONCE,
    )  # fmt: skip


def _look(path: str | None) -> list[Any]:
    # A page may say any path: only files that the menu offers are read.
    known = {str(file): file for file in jobs.list_files()}
    speed = jobs.read(known[path]) if path in known else None
    machine = machine_name(speed.environment) if speed else ""
    shown: list[Any] = []
    for name, kind in KINDS.items():
        stored, figure = _first_drawn(name, _find(kind.format, machine))
        place = gr.update(elem_classes=[] if stored else AWAY)
        shown += [place, figure, _tell(kind, stored)]
    return shown


def _first_drawn(name: str, found: Sequence[dict[str, Any]]) -> tuple[dict[str, Any] | None, Any]:
    """The first result that can be drawn, and its figure: a file in the folder may lack anything."""
    for stored in found:
        try:
            return stored, _draw(name, stored)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            continue
    return None, None


def _draw(name: str, stored: dict[str, Any]) -> Any:
    if name == "load":
        from benchmarks.figures.speed_load import load_figure

        return load_figure(stored)
    from benchmarks.figures.speed_roofline import roofline_figure

    return roofline_figure(stored)


def _tell(kind: Kind, stored: dict[str, Any] | None) -> str:
    if stored is None:
        return '<p class="lab-note">No result yet; this makes one:</p>' + render_command(
            kind.command
        )
    where = escape(machine_name(stored["environment"]))
    return f'<p class="lab-note">Measured on {where}.</p>' + render_command(
        stored.get("command") or kind.command
    )


def _find(kind: str, machine: str) -> list[dict[str, Any]]:
    """The readable files of a kind: a machine's before others', a person's newest before the
    shipped; what is something else is passed over."""
    own = sorted(jobs.folder().glob("*.json"), key=_written_at, reverse=True)
    found = []
    for path in (*own, *sorted(SHIPPED_FOLDER.glob("*.json"))):
        try:
            stored = read_json(path)
        except (OSError, ValueError):
            continue
        is_whole = isinstance(stored, dict) and is_environment(stored.get("environment"))
        if is_whole and stored.get("format") == kind:
            found.append(stored)
    return sorted(found, key=lambda stored: machine_name(stored["environment"]) != machine)


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
