"""Look inside, under the answer on the Classify tab: heat over the picture, and the stages.

Nothing is computed while the panel is closed: the answer above it stays as quick as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from export.catalogue import find_listed
from resnet_core.errors import LabError
from resnet_core.pictures import centre_square, read_picture, to_input
from ui.classify.averaging import build_averaging
from ui.command_lines import command_line, folders_of
from ui.events import AT_ONCE, settled
from ui.html import render_problem

ANSWER = ""
MOST_CLASSES = 20
"""Classes in the menu, the likeliest first; any other can be typed."""


def build_inside(picture: Any, model: Any, engine: Any) -> None:
    """Lay the panel out, then wire it to the page's picture, model and engine."""
    with gr.Accordion("Look inside", open=False, elem_id="inside") as panel:
        is_open = gr.State(False)
        wanted = gr.Dropdown(
            [("The net's answer", ANSWER)], value=ANSWER, label="What speaks for", elem_id="inside-class",
            allow_custom_value=True,
        )  # fmt: skip
        shown = gr.HTML(elem_id="inside-shown")
        averaging = build_averaging(picture, model, engine, is_open)
    inputs, outputs = [picture, model, wanted], [shown, wanted]
    # The first time takes as long as opening the model: it shows that it works.
    panel.expand(_open, inputs, [is_open, *outputs], **AT_ONCE | {"show_progress": "minimal"}).then(
        **averaging
    )
    panel.collapse(lambda: False, None, is_open, **AT_ONCE)
    gr.on(
        [picture.change, model.change, wanted.change], _follow, [is_open, *inputs], outputs,
        **settled("look inside"),
    )  # fmt: skip


def _open(picture: Path | None, model: str | None, wanted: str) -> list[Any]:
    return [True, *_look(picture, model, wanted)]


def _follow(is_open: bool, picture: Path | None, model: str | None, wanted: str) -> list[Any]:
    return _look(picture, model, wanted) if is_open else [gr.skip(), gr.skip()]


def _look(picture: Path | None, model: str | None, wanted: str) -> list[Any]:
    """The panel's content, and the menu of classes that goes with it."""
    from export.inside_commands import find_class
    from ui.classify.inside_view import (  # with the first look, not with the page
        EMPTY,
        render_inside,
    )

    if picture is None or model is None:
        return [EMPTY, gr.skip()]
    try:
        from export.inside import open_inside

        opened = open_inside(find_listed(model).file)
        read = read_picture(picture)
        share = opened.facts.crop_share
        inside = opened.look(to_input(read.image, opened.facts.input_size, share))
        # A class of the model before, or one that was mistyped: the answer is shown instead.
        name = wanted if wanted in inside.class_names else ANSWER
        at = find_class(inside, name)
    except LabError as error:
        return [render_problem(str(error)), gr.skip()]
    square = centre_square(read.image, share)
    html = render_inside(inside, at, square, _command(model, name))
    ranked = [(name, name) for name in inside.ranked()[:MOST_CLASSES]]
    return [html, gr.update(choices=[("The net's answer", ANSWER), *ranked])]


def _command(model: str, wanted: str) -> str:
    words = ["--model", model, *(["--class", wanted] if wanted else []), "--out", "FOLDER"]
    return command_line("export", "inside", "PICTURE", *words, folders=folders_of(model))
