"""What a person chooses to measure here, and the command line it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from benchmarks.figures.style import duration
from benchmarks.throughput.settings import SpeedSettings
from export.catalogue import list_exported
from export.engines.catalogue import ENGINES
from resnet_core.errors import LabError
from ui import run_jobs
from ui.command_lines import DATA, command_line, folders_of
from ui.events import settled
from ui.html import render_command, render_problem
from ui.speed import jobs

ALL = "all"
DEFAULTS = SpeedSettings()
BATCH_SIZES = ("1", "2", "4", "8", "16", "32", "64", "128", "256", "512")
THREADS = ("1", "2", "4", "8", ALL)
NOT_ALONE = (
    " A net is being trained: rounds that it disturbs are measured again, and marked where they "
    "stay disturbed."
)


@dataclass(frozen=True)
class SpeedForm:
    """The settings of a measurement, in the order of `settings_of`."""

    inputs: list[gr.components.Component]
    start: gr.Button
    said: gr.HTML

    @property
    def models(self) -> gr.components.Component:
        return self.inputs[0]


def build_speed_form() -> SpeedForm:
    """Lay the form out, folded; its command line follows every change."""
    with gr.Accordion("Measure this machine", open=False, elem_id="speed-form"):
        gr.Markdown(
            "Every engine answers the same test images first; one whose answers differ gets no "
            "figure. Then engines take turns, each in a process of its own."
        )
        with gr.Row():
            models = _menu(offered_models(), DEFAULTS.models, "Models", "models", 260)
            engines = _menu(_offered_engines(), DEFAULTS.engines, "Engines", "engines", 260)
        with gr.Row():
            batches = _menu(
                BATCH_SIZES, DEFAULTS.batch_sizes, "Images in one call", "batches", 260, True
            )
            threads = _menu(THREADS, DEFAULTS.threads, "Threads", "threads", 160, True)
        with gr.Row():
            numbers = [
                _number(DEFAULTS.seconds, "Seconds a measurement", "seconds"),
                _number(DEFAULTS.rounds, "Rounds a process", "rounds", 0),
                _number(DEFAULTS.processes, "Processes an engine", "processes", 0),
                _number(DEFAULTS.gate_images, "Images compared first", "gate", 0),
            ]
        inputs = [models, engines, batches, threads, *numbers]
        told = gr.HTML(_render_told(*(part.value for part in inputs)), elem_id="speed-command")
        start = gr.Button("Start measuring", variant="primary", elem_id="speed-start")
        said = gr.HTML("", elem_id="speed-answer")
    gr.on([part.change for part in inputs], _render_told, inputs, told,
          **settled("speed form"))  # fmt: skip
    return SpeedForm(inputs, start, said)


def _menu(
    choices: Sequence[str], value: Sequence[str], label: str, name: str, width: int,
    is_open: bool = False,
) -> gr.Dropdown:  # fmt: skip
    return gr.Dropdown(
        list(choices), value=list(value), multiselect=True, label=label, min_width=width,
        elem_id=f"speed-{name}", allow_custom_value=is_open,
    )  # fmt: skip


def _number(value: float, label: str, name: str, precision: int | None = None) -> gr.Number:
    return gr.Number(
        value, label=label, precision=precision, min_width=150, elem_id=f"speed-{name}"
    )


def offered_models() -> list[str]:
    """Every exported model by name."""
    return [model.name for model in list_exported()]


def _offered_engines() -> list[str]:
    """All, each engine at all its precisions, and each of them alone."""
    alone = [f"{key}:{offer}" for key, engine in ENGINES.items() for offer in engine.precisions]
    return [ALL, *ENGINES, *alone]


def settings_of(
    models: list[str], engines: list[str], batches: list[str], threads: list[str], seconds: float,
    rounds: float, processes: float, gate: float,
) -> SpeedSettings:  # fmt: skip
    """What the form stands for; empty numbers count as 0, which the settings refuse."""
    return SpeedSettings(
        models=tuple(models or ()),
        engines=(ALL,) if ALL in (engines or ()) else tuple(engines or ()),
        batch_sizes=tuple(sorted(batches or (), key=lambda said: (len(said), said))),
        threads=tuple(threads or ()),
        rounds=int(rounds or 0),
        processes=int(processes or 0),
        seconds=float(seconds or 0),
        gate_images=int(gate or 0),
    )


def _render_told(*shown: Any) -> str:
    """The command line and how long it measures, or what is wrong."""
    settings = settings_of(*shown)
    try:
        settings.method()
    except LabError as error:
        return render_problem(str(error))
    count = _most_measurements(settings)
    busy = NOT_ALONE if any(row["state"] == "running" for row in run_jobs.all_rows()) else ""
    command = command_line(
        "benchmarks", *settings.words(), "--json", "speed.json",
        folders=(*folders_of(*settings.models), DATA),
    )  # fmt: skip
    return (
        f'<p class="lab-note">At most {count:,} measurements, {duration(count * settings.seconds)} in '
        f"all, besides opening, comparing answers and warming up.{busy}</p>"
        f"{render_command(command)}"
    )


def _most_measurements(settings: SpeedSettings) -> int:
    """Were every engine usable here."""
    engines = ENGINES if settings.engines == (ALL,) else settings.engines
    variants = 0
    for said in engines:
        key, _, precision = said.partition(":")
        variants += 1 if precision or key not in ENGINES else len(ENGINES[key].precisions)
    cases = len(settings.models) * variants * len(settings.threads) * len(settings.batch_sizes)
    return cases * settings.rounds * settings.processes


def start_measuring(*shown: Any) -> list[Any]:
    """Start and show it; what is wrong is said beneath the button."""
    try:
        return ["", str(jobs.start(settings_of(*shown)))]
    except LabError as error:
        return [render_problem(str(error)), gr.skip()]
