"""What stands below the answers of two nets that saw, or know, the same or different things."""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

from export.classifier import Answer
from ui.classify.answers import render_answers

PETS, SHAPES = ("cat", "dog"), ("disc", "ring", "star")


def answer(model: str, size: int, class_names: tuple[str, ...], grey: int = 90) -> Answer:
    return Answer(
        model, "resnet_v1", "an engine", class_names,
        np.full(len(class_names), 1 / len(class_names), np.float32),
        np.full((size, size, 3), grey, np.uint8), Image.new("RGB", (640, 480)), (640, 480), (),
        1.0, 1.0, 1.0,
    )  # fmt: skip


def below(*answers: Answer) -> list[str]:
    page = render_answers(list(answers), 3)
    return re.findall(r"<figcaption>(.*?)</figcaption>", page) + [
        said.split(".")[0] for said in re.findall(r'class="lab-scope">(.*?)</p>', page)
    ]


def test_one_net_is_the_net() -> None:
    assert below(answer("a", 32, PETS)) == [
        "Your picture, 640 × 480", "What the net saw, 32 × 32",
        "This net knows 2 things and nothing else: cat, dog",
    ]  # fmt: skip


def test_two_nets_that_saw_and_know_the_same_are_told_of_once() -> None:
    assert below(answer("a", 32, PETS), answer("b", 32, PETS)) == [
        "Your picture, 640 × 480", "What both nets saw, 32 × 32",
        "Both nets know 2 things and nothing else: cat, dog",
    ]  # fmt: skip


def test_nets_that_saw_or_know_other_things_are_named() -> None:
    assert below(answer("a", 32, PETS), answer("<b>", 224, SHAPES)) == [
        "Your picture, 640 × 480", "What a saw, 32 × 32", "What &lt;b&gt; saw, 224 × 224",
        "a knows 2 things and nothing else: cat, dog",
        "&lt;b&gt; knows 3 things and nothing else: disc, ring, star",
    ]  # fmt: skip
    # Of one size, and cropped otherwise.
    assert "What b saw, 32 × 32" in below(answer("a", 32, PETS), answer("b", 32, PETS, grey=91))


def test_a_thousand_classes_are_no_sentence() -> None:
    many = tuple(f"thing {number}" for number in range(1000))
    said = below(answer("a", 32, PETS), answer("photo", 224, many))
    assert said[-1] == "a knows 2 things and nothing else: cat, dog"
