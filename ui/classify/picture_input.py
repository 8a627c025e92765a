"""A drop zone that hands over the file as it came, untouched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData
from gradio.image_utils import decode_base64_to_file


class PictureInput(gr.Image):  # type: ignore[misc]
    """`gr.Image` without its decoding.

    Gradio decodes and encodes what it is given before any handler sees it, which loses
    16-bit, CMYK and animation, and turns a damaged file into a traceback. `resnet_core.pictures` does
    that work, and answers in a sentence.
    """

    is_template = True  # the browser's side is gr.Image's

    def preprocess(self, payload: ImageData | None) -> Any:
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):  # a webcam's frame
            return Path(decode_base64_to_file(payload.url, self.GRADIO_CACHE, "png"))
        return Path(payload.path) if payload.path else None
