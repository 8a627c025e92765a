"""Skip surgery by hand: tick blocks, see the error at once."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import gradio as gr

from benchmarks.why.lines import describe_operation
from benchmarks.why.progress import shape_changing_blocks
from benchmarks.why.settings import SurgerySettings
from resnet_core.errors import LabError
from resnet_core.training.config import default_data_folder
from resnet_core.zoo import zoo_entries
from ui import run_jobs
from ui.events import AT_ONCE, IN_TURN
from ui.html import render_command, render_problem
from ui.why import jobs

FIRST_MODEL = "resnet20_v1"
NO_SWAP = 0
INVITATION = '<p class="lab-note">Tick a block to switch it off.</p>'
LOADING = (
    '<p class="lab-note lab-busy" role="status">Measuring … the first time loads the net and its '
    "images, which takes a few seconds.</p>"
)


def build_operating_table() -> gr.Dropdown:
    """Lay it out and wire it; the dropdown of nets is given back to be filled on opening."""
    gr.Markdown("#### Operate yourself")
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=300):
            model = gr.Dropdown([FIRST_MODEL], value=FIRST_MODEL, label="Net", elem_id="why-net")
            blocks = _block_choices(FIRST_MODEL)
            off = gr.CheckboxGroup(blocks, label="Blocks switched off", elem_id="why-off")
            with gr.Row():
                pairs = [("none", NO_SWAP), *blocks]
                first = gr.Dropdown(pairs, value=NO_SWAP, label="Swap block", elem_id="why-swap-1")
                second = gr.Dropdown(pairs, value=NO_SWAP, label="with", elem_id="why-swap-2")
        with gr.Column(scale=5, min_width=300):
            answer = gr.HTML(INVITATION, elem_id="why-answer")
    asked = [model, off, first, second]
    model.input(_offer_blocks, model, [off, first, second, answer], **AT_ONCE)
    gr.on([part.input for part in asked[1:]], lambda: LOADING, None, answer, **AT_ONCE).then(
        _operate, asked, answer, trigger_mode="always_last", **IN_TURN
    )
    return model


def _net(name: str) -> tuple[str, int]:
    """Family and depth of a shipped net or a run, without loading it."""
    shipped = {entry.name: entry.card["config"] for entry in zoo_entries()}
    config = shipped[name] if name in shipped else run_jobs.run_named(name).config()["model"]
    return config["family"], config["depth"]


def _block_choices(name: str) -> list[tuple[str, int]]:
    try:
        count, changing = shape_changing_blocks(*_net(name))
    except LabError:
        return []
    return [(f"{n} ↓" if n in changing else str(n), n) for n in range(1, count + 1)]


def _offer_blocks(name: str) -> list[Any]:
    blocks = _block_choices(name)
    pairs = gr.update(choices=[("none", NO_SWAP), *blocks], value=NO_SWAP)
    return [gr.update(choices=blocks, value=[]), pairs, pairs, INVITATION]


def _operate(name: str, off: list[int], first: int, second: int) -> str:
    """Measured in this process, on its first use the only thing here that loads PyTorch."""
    from benchmarks.why.interactive import quick_surgery
    from benchmarks.why.measure import Places
    from resnet_core.analysis.surgery import Operation

    swapped = ((first, second),) if first and second and first != second else ()
    if not off and not swapped:
        return INVITATION
    operation = Operation(tuple(sorted(off)), swapped)
    began = perf_counter()
    try:
        places = Places(run_jobs.runs_folder(), default_data_folder().resolve())
        score = quick_surgery(name, operation, places)
    except LabError as error:
        return render_problem(str(error))
    seconds = perf_counter() - began
    from ui.why.view import render_change

    said = describe_operation({"off": operation.off, "swapped": operation.swapped})
    settings = SurgerySettings(
        models=(name,),
        images=score.images,
        off=",".join(map(str, operation.off)) or None,
        swap=",".join(f"{a}-{b}" for a, b in swapped) or None,
    )
    return render_change(name, _net(name)[0], said, score, seconds) + render_command(
        jobs.shown_command(settings)
    )
