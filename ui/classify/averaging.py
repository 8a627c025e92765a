"""Several views or several nets, averaged: the lower half of Look inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from export.averaged import classify_averaged
from export.catalogue import find_listed, list_exported
from export.views import FLIP, ONE, TEN_CROP
from resnet_core.errors import LabError
from ui.classify.answers import render_card
from ui.command_lines import command_line, folders_of
from ui.events import AT_ONCE, settled
from ui.html import render_command, render_problem

CLASSES_SHOWN = 3
HINT = (
    '<p class="lab-note">Ask about more views of the picture, or ask more nets: the mean of their '
    "probabilities is wrong less often than one of them.</p>"
)


def build_averaging(picture: Any, model: Any, engine: Any, is_open: gr.State) -> dict[str, Any]:
    """Lay the part out, then wire it.

    Returns:
        The arguments of an event that answers, for when the panel opens.
    """
    with gr.Row():
        views = gr.Radio(
            [("As it is", ONE), ("And mirrored", FLIP), ("Ten crops", TEN_CROP)], value=ONE,
            label="Views of the picture", elem_id="views", min_width=280, scale=5,
        )  # fmt: skip
        others = gr.Dropdown(
            [], value=[], multiselect=True, label="Average with", elem_id="average-with",
            min_width=280, scale=6, allow_custom_value=True,
        )  # fmt: skip
    shown = gr.HTML(HINT, elem_id="averaged")
    inputs = [is_open, picture, model, engine, views, others]
    gr.on(
        [picture.change, model.change, engine.change, views.change, others.change],
        _average, inputs, shown, **settled("averaging"),
    )  # fmt: skip
    return {"fn": _open, "inputs": inputs, "outputs": [shown, others], **AT_ONCE}


def _open(*inputs: Any) -> list[Any]:
    """Models come while the app runs: the menu is filled whenever the panel opens."""
    models = [(model.title, model.name) for model in list_exported()]
    return [_average(*inputs), gr.update(choices=models)]


def _average(
    is_open: bool, picture: Path | None, model: str | None, engine: str, views: str,
    others: list[str],
) -> Any:  # fmt: skip
    if not is_open:
        return gr.skip()
    chosen = [name for name in others if name != model]
    if picture is None or model is None or (views == ONE and not chosen):
        return HINT
    try:
        names = [find_listed(name).name for name in (model, *chosen)]
        answer = classify_averaged(picture, names, views, engine)
    except LabError as error:
        return render_problem(str(error))
    card = render_card(answer, CLASSES_SHOWN)
    return f'<div role="status">{card}</div>' + render_command(
        _command(model, engine, views, chosen)
    )


def _command(model: str, engine: str, views: str, others: list[str]) -> str:
    words = ["export", "classify", "PICTURE", "--model", model]
    words += ["--engine", engine] if engine else []
    words += ["--views", views] if views != ONE else []
    words += ["--with", *others] if others else []
    return command_line(*words, folders=folders_of(model, *others))
