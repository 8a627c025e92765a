"""Several pictures at once: dropped together, classified in batches, shown by class or by doubt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import gradio as gr

from export.catalogue import find_listed
from export.classifier import ReadyModel, open_engine
from export.folder.stream import Told, classify_many
from export.folder.table import Form, encode
from resnet_core.display import clock
from resnet_core.errors import LabError
from ui.action_list import ActionList
from ui.classify.gallery_view import BY_CLASS, BY_DOUBT, Card, make_card, render_gallery
from ui.command_lines import command_line, folders_of
from ui.events import IN_TURN
from ui.html import render_busy, render_command, render_problem
from ui.kept_files import write_downloads

MOST_FILES = 1000
TOP_K = 5
"""Classes a picture in the CSV, as on the command line."""
NOTHING: tuple[Card, ...] = ()
TO_THE_TOP = "() => document.querySelector('#answers').scrollIntoView({block: 'start'})"


def build_gallery(model: gr.Dropdown, engine: gr.Dropdown) -> None:
    """Lay the folded section out and wire it to the tab's own choice of model and engine."""
    with gr.Accordion("Several pictures at once", open=False, elem_id="several"):
        files = gr.File(label="Pictures", file_count="multiple", height=140, elem_id="files")
        with gr.Row(visible=False, equal_height=True) as controls:
            order = gr.Radio(
                [("Class", BY_CLASS), ("Most doubtful first", BY_DOUBT)], value=BY_CLASS,
                label="Sort by", elem_id="answers-order", scale=3, min_width=280,
                info="Doubt is 100 % less the lead of the first class over the second.",
            )  # fmt: skip
            download = gr.DownloadButton("Download as CSV", elem_id="csv", scale=1, min_width=160)
        answers = ActionList(visible=False, elem_id="answers")
        command = gr.HTML(visible=False)
    cards = gr.State(NOTHING)
    gr.on(
        [files.change, model.change, engine.change], _classify, [files, model, engine, order],
        [answers, controls, download, command, cards], trigger_mode="always_last", **IN_TURN,
    )  # fmt: skip
    order.change(render_gallery, [cards, order], answers, **IN_TURN)
    answers.click(_turn, [cards, order], answers, **IN_TURN).then(None, js=TO_THE_TOP)


def _turn(cards: tuple[Card, ...], order: str, event: gr.EventData) -> str:
    return render_gallery(cards, order, int(event.row))


def _classify(
    files: list[str] | None, model: str | None, engine: str, order: str
) -> Iterator[list[Any]]:
    """The answers as values of the outputs; until they are there, how far the work is."""
    if not files or model is None:
        yield _outcome("", NOTHING)
        return
    if len(files) > MOST_FILES:
        gr.Warning(f"These are {len(files):,} files: the first {MOST_FILES:,} were classified.")
    paths = [Path(file) for file in files[:MOST_FILES]]
    yield _outcome(render_busy(f"Classifying {len(paths):,} pictures"), NOTHING)
    try:
        name = find_listed(model).name
        opened = open_engine(name, engine, beside_decoders=True)
        told: list[Told] = []
        began = perf_counter()
        for batch in classify_many(paths, opened):
            told += batch
            yield _outcome(_progress(len(told), len(paths), perf_counter() - began), NOTHING)
    except LabError as error:
        yield _outcome(render_problem(str(error)), NOTHING)
        return
    cards = tuple(make_card(each, opened.facts.class_names) for each in told)
    csv = _write_csv(told, name, opened)
    said = render_command(_command(name, engine), "A folder of any size, on the command line")
    yield _outcome(render_gallery(cards, order), cards, csv, said)


def _outcome(answers: str, cards: tuple[Card, ...], csv: str = "", command: str = "") -> list[Any]:
    return [
        gr.update(value=answers, visible=bool(answers)),
        gr.update(visible=bool(cards)),
        gr.update(value=csv or None),
        gr.update(value=command, visible=bool(command)),
        cards,
    ]


def _progress(done: int, files: int, seconds: float) -> str:
    left = clock(seconds / done * (files - done))
    return render_busy(f"{done:,} of {files:,} pictures are classified, {left} left")


def _command(model: str, engine: str) -> str:
    words = ["--csv", "answers.csv", "--model", model, *(["--engine", engine] if engine else [])]
    return command_line("export", "classify", "FOLDER", *words, folders=folders_of(model))


def _write_csv(told: list[Told], model: str, opened: ReadyModel) -> str:
    """The table that the command line writes, with names in place of the server's paths."""
    form = Form(model, opened.name, opened.facts.class_names, TOP_K)
    records = [form.record(replace(each, path=Path(each.path.name))) for each in told]
    return write_downloads({"answers.csv": encode([form.columns, *records])})[0]
