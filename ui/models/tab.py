"""The Models tab: what there is, shipped and trained, and what each is made of."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from resnet_core.errors import LabError
from ui.action_list import ActionList
from ui.events import AT_ONCE
from ui.figure import LiveFigure
from ui.html import render_problem
from ui.kept_files import lend
from ui.models.delete import build_delete_panel
from ui.models.fetch import FetchPart, build_fetch
from ui.models.view import ModelEntry, list_models, render_card, render_models

FIGURE_HEIGHT = 240


@dataclass(frozen=True)
class ModelsTab:
    """What the frame wires: the model chosen, and the button that puts it into Classify."""

    picked: gr.State
    use: gr.Button
    message: gr.HTML
    fetch: FetchPart
    outputs: list[Any]

    def opening(self) -> dict[str, Any]:
        """The arguments of an event that lists the models anew."""
        return {
            "fn": _show, "inputs": self.picked, "outputs": self.outputs,
            **AT_ONCE,
        }  # fmt: skip


def build_models_tab() -> ModelsTab:
    """Lay the tab out, then wire it."""
    gr.Markdown(
        "All the models you have: how good, how large, how they were trained; take them along.",
        elem_classes="lab-lead",
    )
    picked = gr.State(None)
    with gr.Row(equal_height=False):
        with gr.Column(scale=6, min_width=320):
            table = ActionList(elem_id="models")
        with gr.Column(scale=5, min_width=320):
            card = gr.HTML(elem_id="model-card")
            figure = LiveFigure(height=FIGURE_HEIGHT, elem_id="model-figure")
            with gr.Row():
                use = gr.Button(
                    "Use in Classify", variant="primary", elem_id="model-use", min_width=180
                )
                onnx = gr.DownloadButton("ONNX file", elem_id="model-onnx", min_width=100)
                weights = gr.DownloadButton("Weights", elem_id="model-weights", min_width=100)
            deleting = build_delete_panel()
    fetch = build_fetch()
    outputs = [picked, table, card, figure, use, onnx, weights, deleting.delete]
    tab = ModelsTab(picked, use, deleting.message, fetch, outputs)
    table.click(_pick, None, outputs, **AT_ONCE)
    fetch.ready.change(**tab.opening())  # what was fetched stands in the table
    deleting.wire(picked, tab.opening())
    return tab


def _pick(event: gr.EventData) -> list[Any]:
    return _show(event.row)


def _show(picked: str | None) -> list[Any]:
    """The table, and the chosen model's card; the best shipped one where none is chosen."""
    models = list_models()
    names = [model.name for model in models]
    if not models:
        return [None, "", render_problem("There is no model yet: train one."), None,
                *[gr.update(visible=False)] * 4]  # fmt: skip
    model = models[names.index(picked)] if picked in names else models[0]
    return [
        model.name, render_models(models, model.name), render_card(model), _figure(model),
        gr.update(visible=True), _download(model.onnx_file), _download(model.weights_file),
        gr.update(visible=model.can_be_deleted),
    ]  # fmt: skip


def _download(file: Path | None) -> Any:
    lent = None
    if file is not None:
        with suppress(OSError):  # not there, or no more
            lent = lend(file)
    return gr.update(value=lent, interactive=lent is not None)


def _figure(model: ModelEntry) -> Any:
    """Its curves; no empty place for a model whose training is not known."""
    curves = _curves(model)
    return gr.update(value=curves, visible=curves is not None or "hidden")


def _curves(model: ModelEntry) -> Any:
    from benchmarks.figures.run_curves import error_figure  # plotly is loaded with the first figure
    from benchmarks.figures.style import family_colour

    try:
        colour = family_colour(model.config["family"], model.config["depth"])
        return error_figure(model.history(), colour, FIGURE_HEIGHT)
    except (LabError, KeyError):
        return None
