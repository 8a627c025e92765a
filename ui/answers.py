"""Answers as HTML: verdict, ranked bars, what the net saw, and how long it took."""

from __future__ import annotations

import base64
import io
from html import escape

from PIL import Image

from export.classifier import Answer

PREVIEW_PIXELS = 448

EMPTY = (
    '<div class="lab-empty"><p>The answer appears here.</p>'
    "<p>Drop a picture, paste one, take one with the webcam, or pick an example.</p></div>"
)


def render_answers(answers: list[Answer], top_k: int) -> str:
    """One card a model, side by side where there are two."""
    cards = "".join(render_card(answer, top_k) for answer in answers)
    return (
        f'<div class="lab-answers" role="status">{cards}</div>'
        f"{_pixels(answers[0])}{_scope(answers[0])}"
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


def _pixels(answer: Answer) -> str:
    width, height = answer.picture_size
    size = answer.seen.shape[0]
    original = answer.picture.copy()
    original.thumbnail((PREVIEW_PIXELS, PREVIEW_PIXELS))
    return (
        '<div class="lab-pixels">'
        f'<figure><img alt="Your picture" src="{data_url(original, "JPEG")}">'
        f"<figcaption>Your picture, {width:,} × {height:,}</figcaption></figure>"
        f'<figure><img class="lab-seen" alt="The {size} by {size} pixels the net saw" '
        f'src="{data_url(Image.fromarray(answer.seen), "PNG")}">'
        f"<figcaption>What the net saw, {size} × {size}</figcaption></figure></div>"
    )


def _scope(answer: Answer) -> str:
    names = ", ".join(answer.class_names)
    if len(answer.class_names) > 20:
        return ""
    return (
        f'<p class="lab-scope">This net knows {len(answer.class_names)} things and nothing else: '
        f"{escape(names)}. Shown anything else, it still answers with one of them.</p>"
    )


def data_url(image: Image.Image, kind: str) -> str:
    """A picture for an `img`, as JPEG or PNG."""
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=85)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
