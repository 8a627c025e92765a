"""Answers as HTML: verdict, ranked bars, what the net saw, and how long it took."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Hashable
from html import escape

from PIL import Image

from export.classifier import Answer

PREVIEW_PIXELS = 448
MOST_NAMED = 20
"""Classes; more are no sentence."""

EMPTY = (
    '<div class="lab-empty"><p>The answer appears here.</p>'
    "<p>Drop a picture, paste one, take one with the webcam, or pick an example.</p></div>"
)


def render_answers(answers: list[Answer], top_k: int) -> str:
    """One card a model, side by side where there are two."""
    cards = "".join(render_card(answer, top_k) for answer in answers)
    return (
        f'<div class="lab-answers" role="status">{cards}</div>{_pixels(answers)}{_scope(answers)}'
    )


def render_card(answer: Answer, top_k: int) -> str:
    """One model's answer: verdict, ranked bars, notes, and how long it took."""
    rows = "".join(
        f'<li><span>{escape(name)}</span><span class="lab-share">{_percent(p)}</span>'
        f'<span class="lab-bar"><span style="width:{100 * p:.2f}%"></span></span></li>'
        for name, p in answer.ranked(top_k)
    )
    unsure = " lab-unsure" if answer.is_uncertain else ""
    notes = "".join(f'<p class="lab-note">{escape(note)}</p>' for note in answer.notes)
    return (
        f'<div class="lab-card lab-{escape(answer.family)}">'
        f'<p class="lab-model"><span class="lab-dot"></span>{escape(answer.model)}</p>'
        f'<h2 class="lab-verdict{unsure}">{escape(answer.verdict)}</h2>'
        f'<ol class="lab-ranks">{rows}</ol>{notes}'
        f'<p class="lab-times">decode {answer.decode_ms:.1f} ms · resize {answer.preprocess_ms:.1f} ms'
        f" · inference {answer.inference_ms:.1f} ms<br>{escape(answer.engine)}</p></div>"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.0005 else "< 0.1 %"


def _pixels(answers: list[Answer]) -> str:
    """The picture beside what each net saw of it; once, where all saw the same."""
    picture, (width, height) = answers[0].picture.copy(), answers[0].picture_size
    picture.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    figures = [
        f'<figure><img alt="Your picture" src="{data_url(picture, "JPEG")}">'
        f"<figcaption>Your picture, {width:,} × {height:,}</figcaption></figure>"
    ]
    groups = _alike(answers, lambda answer: (answer.seen.shape, answer.seen.tobytes()))
    for group in groups:
        size, pixels = group[0].seen.shape[0], Image.fromarray(group[0].seen)
        who = _who(group, groups)
        figures.append(
            f'<figure><img class="lab-seen" alt="The {size} by {size} pixels {who} saw" '
            f'src="{data_url(pixels, "PNG")}">'
            f"<figcaption>What {who} saw, {size} × {size}</figcaption></figure>"
        )
    return f'<div class="lab-pixels">{"".join(figures)}</div>'


def _scope(answers: list[Answer]) -> str:
    """What the nets can answer at all, where that is a short list."""
    groups = _alike(answers, lambda answer: answer.class_names)
    return "".join(
        f'<p class="lab-scope">{_known(group[0], _who(group, groups), len(group))}</p>'
        for group in groups
        if len(group[0].class_names) <= MOST_NAMED
    )


def _known(answer: Answer, who: str, nets: int) -> str:
    subject = {"the net": "This net", "both nets": "Both nets"}.get(who, who)
    knows, it_answers = (
        ("knows", "it still answers") if nets == 1 else ("know", "they still answer")
    )
    return (
        f"{subject} {knows} {len(answer.class_names)} things and nothing else: "
        f"{escape(', '.join(answer.class_names))}. Shown anything else, {it_answers} with one of them."
    )


def _alike(answers: list[Answer], what: Callable[[Answer], Hashable]) -> list[list[Answer]]:
    """The answers in groups that agree in something, in the order of each group's first."""
    groups: dict[Hashable, list[Answer]] = {}
    for answer in answers:
        groups.setdefault(what(answer), []).append(answer)
    return list(groups.values())


def _who(group: list[Answer], groups: list[list[Answer]]) -> str:
    """A group's nets as captions name them: by name only where others saw or know something else."""
    if len(groups) > 1:
        return escape(group[0].model)
    return "the net" if len(group) == 1 else "both nets"


def data_url(image: Image.Image, kind: str) -> str:
    """A picture for an `img`, as JPEG or PNG."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
