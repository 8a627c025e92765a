"""The Classify tab: a picture in, an answer out; two models side by side; many pictures at once."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from export.catalogue import find_listed, list_exported
from export.classifier import classify, compare
from resnet_core.errors import LabError
from ui.classify.answers import EMPTY, render_answers
from ui.classify.engines import FASTEST, measure_in_background, offer_engines
from ui.classify.example_pictures import build_examples
from ui.classify.gallery import build_gallery
from ui.classify.inside import build_inside
from ui.classify.picture_input import PictureInput
from ui.command_lines import command_line, folders_of
from ui.events import AT_ONCE, settled
from ui.html import render_problem

NOBODY = ""


def build_classify_tab() -> tuple[gr.Dropdown, gr.Dropdown, gr.Dropdown]:
    """Lay the tab out, then wire it; gives the two menus of models, which runs add to, and the engines'."""
    models = [(model.title, model.name) for model in list_exported()]
    first = models[0][1] if models else None
    gr.Markdown(
        "Drop in a picture and see what a residual network makes of it.",
        elem_classes="lab-lead",
    )
    with gr.Row(equal_height=False, elem_id="asking"):
        with gr.Column(scale=6, min_width=320):
            picture = PictureInput(
                label="Picture", sources=["upload", "clipboard", "webcam"], height=380,
                buttons=[], elem_id="picture", placeholder="Drop a picture here, or click to choose one",
            )  # fmt: skip
            examples = build_examples(picture)
            with gr.Row(elem_classes="lab-after-answer"):
                # Models come while the app runs: an unknown name gets a sentence, not Gradio's refusal.
                model = gr.Dropdown(
                    models, value=first, label="Model, layers, test error", elem_id="model",
                    min_width=320, allow_custom_value=True,
                )  # fmt: skip
                other = gr.Dropdown(
                    [("Nothing", NOBODY), *models], value=NOBODY, label="Compare with",
                    elem_id="compare", min_width=320, allow_custom_value=True,
                )  # fmt: skip
            with gr.Row(elem_classes="lab-after-answer"):
                engine = gr.Dropdown(
                    [("The fastest here", FASTEST)], value=FASTEST, label="Engine", elem_id="engine",
                    min_width=240, allow_custom_value=True,
                )  # fmt: skip
                top_k = gr.Slider(
                    1, 10, value=5, step=1, label="Classes to show", elem_id="top-k", min_width=240
                )
        with gr.Column(scale=5, min_width=320, elem_id="answering"):
            answer = gr.HTML(EMPTY if models else render_problem(_NO_MODELS), elem_id="answer")
            command = gr.Textbox(
                label="The same on the command line", value=_command(first, NOBODY, 5),
                buttons=["copy"], interactive=False, elem_id="command",
            )  # fmt: skip
    examples.follow(model)
    build_inside(picture, model, engine)
    build_gallery(model, engine)
    _wire_page(picture, model, other, top_k, engine, answer, command)
    _wire_api(picture, model, top_k, engine)
    return model, other, engine


def offer_models(chosen: str | None = None) -> list[Any]:
    """Both menus with the models there are now; `chosen` becomes the first one's choice."""
    models = [(model.title, model.name) for model in list_exported()]
    first = {"value": chosen} if chosen else {}
    return [gr.update(choices=models, **first), gr.update(choices=[("Nothing", NOBODY), *models])]


_NO_MODELS = "There is no exported model yet: train one, then `python -m export ship RUN`."


def _wire_page(
    picture: Any, model: Any, other: Any, top_k: Any, engine: Any, answer: Any, command: Any
) -> None:
    gr.on(
        [picture.change, model.change, other.change, top_k.change, engine.change],
        _answer_page, [picture, model, other, top_k, engine], answer,
        show_progress="minimal", trigger_mode="always_last", api_visibility="private",
    )  # fmt: skip
    gr.on(
        [model.change, other.change, top_k.change, engine.change],
        _command, [model, other, top_k, engine], command, **settled("classify command"),
    )  # fmt: skip
    gr.on([model.change, answer.change], offer_engines, model, engine, **AT_ONCE)


def _wire_api(picture: Any, model: Any, top_k: Any, engine: Any) -> None:
    """The `/classify` endpoint; its first result is Gradio's label format."""
    label = gr.Label(label="Classes", visible=False)
    seen = gr.Image(label="What the net saw", visible=False, format="png")
    details = gr.JSON(label="Details", visible=False)
    gr.Button(visible=False).click(
        _answer_api, [picture, model, top_k, engine], [label, seen, details],
        api_name="classify", concurrency_limit=4,
        api_description="Say what is in a picture: class probabilities, the pixels seen, details.",
    )  # fmt: skip


def _command(model: str | None, other: str, top_k: int, engine: str = FASTEST) -> str:
    """A line for each model that answers."""
    model = model or "MODEL"
    names = [model] if other in (NOBODY, model) else [model, other]
    words = ["--top-k", f"{top_k}", *(["--engine", engine] if engine else [])]
    lines = [
        command_line(
            "export", "classify", "PICTURE", "--model", name, *words, folders=folders_of(name)
        )
        for name in names
    ]
    return "\n".join(lines)


def _answer_page(
    picture: Path | None, model: str | None, other: str, top_k: int, engine: str
) -> str:
    if picture is None:
        return EMPTY
    if model is None:
        return render_problem(_NO_MODELS)
    try:
        names = [model] if other in (NOBODY, model) else [model, other]
        names = [find_listed(name).name for name in names]
        answer = render_answers(compare(picture, names, engine), int(top_k))
    except LabError as error:
        return render_problem(str(error))
    measure_in_background(model)
    return answer


def _answer_api(
    image: Path | None, model: str, top_k: float, engine: str = FASTEST
) -> tuple[dict[str, float], Image.Image, dict[str, Any]]:
    if image is None:
        raise gr.Error("No picture was sent: pass one as `image`.", print_exception=False)
    # What a page sends is of these kinds; what a program sends may be anything that JSON can say.
    names = isinstance(model, str) and isinstance(engine, str)
    if not names or not isinstance(top_k, int | float) or not isfinite(top_k):
        raise gr.Error(
            "`model` and `engine` should be names and `top_k` a number of classes.",
            print_exception=False,
        )
    try:
        answer = classify(image, find_listed(model).name, engine)
    except LabError as error:
        raise gr.Error(str(error), print_exception=False) from None
    ranked = dict(answer.ranked(max(1, int(top_k))))
    return ranked, Image.fromarray(answer.seen), answer.to_dict(int(top_k))
