"""What comes to the `/classify` endpoint: any picture, any model, any number of classes."""

from __future__ import annotations

import json
from pathlib import Path

from tests.endurance.fuzz.pictures import picture_seeds
from tests.endurance.fuzz.target import Prepared, Target


def _prepare(folder: Path) -> Prepared:
    """A line of JSON with the fields, then the picture's bytes."""
    import gradio as gr

    from resnet_core.errors import ModelError
    from ui.classify.tab import _answer_api

    file = folder / "upload"
    picture = picture_seeds()[0]
    fields = [["resnet20_v1", 3, ""], ["plain20", 5.0, "onnxruntime-cpu:fp32"], [None, -1, "x"]]

    def read(data: bytes) -> None:
        head, _, content = data.partition(b"\n")
        try:
            model, top_k, engine = json.loads(head)
        except (
            ValueError,
            TypeError,
            RecursionError,
        ):  # Gradio's own server takes nothing but JSON
            model, top_k, engine = head.decode("utf-8", "replace"), 3, ""
        file.write_bytes(content)
        try:
            ranked, seen, _ = _answer_api(file, model, top_k, engine)
        except gr.Error as error:  # how an endpoint says a sentence
            raise ModelError(error.message) from None
        assert ranked and seen.size == (32, 32)

    return Prepared([json.dumps(each).encode() + b"\n" + picture for each in fields], read)


TARGETS = (Target("endpoint", "what the /classify endpoint is sent", _prepare, 1),)
