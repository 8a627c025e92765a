"""A person's own images on the Train tab: handed over, looked at, and offered as a data set."""

from __future__ import annotations

import base64
import io
import json
import os
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet_core.data.catalogue import list_datasets
from resnet_core.data.own_images import DEFAULT_SIZE, sample_thumbnails
from resnet_core.data.own_store import Report, find_prepared
from resnet_core.errors import LabError
from resnet_core.training.config import default_data_folder
from resnet_core.training.recipes import RECIPES, fitting_batch_size
from ui import run_jobs
from ui.door.rules import is_loopback
from ui.events import IN_TURN
from ui.html import render_busy, render_problem

TYPED_WORDS = (
    "This app serves other machines, so it reads no paths that are typed: upload a zip or an npz."
)
MOST_CLASSES_SHOWN = 12
MOST_FILES_SHOWN = 8
THUMBNAIL_PIXELS = 48


def build_own_images(data: gr.Dropdown, batch_size: gr.Number) -> gr.Number:
    """Lay the folded part out, and wire it to the menu of data sets and the recipe's batch size.

    Gives the field for the pictures' size, in pixels.
    """
    with gr.Accordion("Your own images", open=False, elem_id="own-images"):
        gr.HTML(
            '<p class="lab-note">A zip or a folder with one folder of pictures for each class, '
            "or an .npz with x_train and y_train.</p>"
        )
        file = gr.File(
            label="Zip or npz", file_types=[".zip", ".npz"], height=120, elem_id="own-file"
        )
        path = gr.Textbox(
            label="Or a folder or file on this machine", placeholder="/home/me/flowers",
            elem_id="own-path",
        )  # fmt: skip
        with gr.Row(equal_height=True):
            size = gr.Number(
                DEFAULT_SIZE,
                precision=0,
                minimum=8,
                maximum=256,
                label="Pixels a side",
                min_width=110,
            )
            prepare = gr.Button("Look at them", elem_id="own-prepare", min_width=130)
        answer = gr.HTML(elem_id="own-answer")
    gr.on(
        [prepare.click, file.upload],
        _prepare, [file, path, size, batch_size], [answer, data, batch_size], **IN_TURN,
    )  # fmt: skip
    return size


def _prepare(file: str | None, path: str, size: float | None, batch_size: float | None) -> Any:
    """Read the images, show what they are, and choose them as the data, in steps that fit them."""
    kept = [gr.skip(), gr.skip()]
    if (
        path.strip()
        and not file
        and not is_loopback(os.environ.get("RESNET_LAB_HOST", "localhost"))
    ):
        yield render_problem(TYPED_WORDS), *kept
        return
    source = file or path.strip()
    if not source:
        yield render_problem("Nothing was given: upload a zip or npz, or type a path."), *kept
        return
    yield render_busy("Reading pictures"), *kept
    folder = default_data_folder().resolve()
    words = ["images", str(Path(source).expanduser().resolve()), "--data-folder", str(folder)]
    try:
        said = run_jobs.command(
            "resnet_core", *words, "--image-size", f"{size or DEFAULT_SIZE:.0f}", "--json"
        )
        name = json.loads(said.splitlines()[-1])["data"]
        prepared = find_prepared(name, folder)
        text = render_report(prepared.report, sample_thumbnails(prepared))
        images = prepared.report.train_images
        step = fitting_batch_size(images, int(batch_size or RECIPES["taste"].batch_size))
        yield text, gr.update(choices=list_datasets(folder), value=name), step
    except LabError as error:
        yield render_problem(str(error)), *kept


def render_report(report: Report, thumbnails: dict[str, NDArray[np.uint8]]) -> str:
    """Split, balance, samples, and what was left out and why."""
    most = max(c.train + c.test for c in report.classes)
    rows = "".join(
        _class_row(c.name, c.train, c.test, most, thumbnails.get(c.name))
        for c in report.classes[:MOST_CLASSES_SHOWN]
    )
    hidden = len(report.classes) - MOST_CLASSES_SHOWN
    rest = f'<p class="lab-note">… and {hidden} more classes.</p>' if hidden > 0 else ""
    return (
        f'<div class="lab-own" role="status"><p class="lab-note"><b>{len(report.classes)} classes, '
        f"{report.train_images:,} images to train on and {report.test_images:,} to test.</b> Each "
        f"is cut to its middle square and scaled to {report.image_size} × {report.image_size}.</p>"
        f"{rows}{rest}{_remarks(report)}</div>"
    )


def _class_row(
    name: str, train: int, test: int, most: int, images: NDArray[np.uint8] | None
) -> str:
    strip = "" if images is None else _strip(images, name)
    return (
        f'<div class="lab-class"><span>{escape(name)}</span>'
        f'<span class="lab-share">{train:,} + {test:,}</span>'
        f'<span class="lab-bar"><span style="width:{100 * (train + test) / most:.1f}%"></span></span>'
        f"{strip}</div>"
    )


def _strip(images: NDArray[np.uint8], name: str) -> str:
    """(N, H, W, 3) side by side as one picture."""
    pixels = np.concatenate(list(images), axis=1)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    width = THUMBNAIL_PIXELS * len(images)
    return (
        f'<img class="lab-strip" style="width:{width}px" alt="{len(images)} pictures of {escape(name)}" '
        f'src="data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}">'
    )


def _remarks(report: Report) -> str:
    notes = [*report.notes]
    if report.duplicates:
        notes.append(
            f"{report.duplicates:,} exact copies; all of a picture stay on one side, in training, validation or test."
        )
    if report.left_out_total:
        notes.append(f"{report.left_out_total:,} files were left out:")
    lines = "".join(f'<p class="lab-note">{escape(note)}</p>' for note in notes)
    files = "".join(
        f"<li>{escape(f.name)}: {escape(f.reason)}</li>" for f in report.left_out[:MOST_FILES_SHOWN]
    )
    return f'{lines}<ul class="lab-left-out">{files}</ul>' if files else lines
