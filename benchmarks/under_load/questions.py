"""Pictures to ask about, and what the model says of each when it is asked alone."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from export.classifier import classify

DRAWINGS = Path(__file__).resolve().parents[2] / "ui" / "classify" / "examples"
SIDES = (32, 96, 224, 640, 1600)
FORMATS = ("PNG", "JPEG", "WEBP")
NOISE = 24.0
"""Standard deviation of what is added to each pixel, of 255: no two pictures are answered alike."""


@dataclass(frozen=True)
class Question:
    """A picture file and the answer that is right."""

    name: str
    content: bytes
    label: str
    probabilities: dict[str, float]


def make_questions(count: int, model: str, engine: str) -> list[Question]:
    """The shipped drawings, turned, scaled, with noise, in several formats; the same every time."""
    drawings = sorted(DRAWINGS.glob("*.jpg"))
    return [_question(number, drawings, model, engine) for number in range(count)]


def _question(number: int, drawings: list[Path], model: str, engine: str) -> Question:
    rng = np.random.default_rng(number)
    side, kind = SIDES[number % len(SIDES)], FORMATS[number % len(FORMATS)]
    with Image.open(drawings[number % len(drawings)]) as drawing:
        turned = drawing.convert("RGB").rotate(float(rng.uniform(-30, 30))).resize((side, side))
    pixels = np.asarray(turned, dtype=float) + rng.normal(0, NOISE, (side, side, 3))
    buffer = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(buffer, kind)
    answer = classify(buffer.getvalue(), model, engine)
    label, _ = answer.ranked(1)[0]
    name = f"{number}.{kind.lower()}"
    return Question(name, buffer.getvalue(), label, dict(answer.ranked()))
