"""A folder to a table, told as events: what begins, how far it is, how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

from export.classifier import open_engine
from export.folder.files import find_files
from export.folder.order import Order
from export.folder.stream import classify_many
from export.folder.table import Form, open_table
from resnet_core.events import Event


@dataclass(frozen=True)
class Opened(Event):
    """The files are found, the engine and the table are open."""

    kind = "opened"
    table: str
    model: str
    engine: str
    files: int
    done: int
    """Files that the table tells of already."""


@dataclass(frozen=True)
class Advanced(Event):
    """A batch is in the table."""

    kind = "advanced"
    done: int
    files: int
    unreadable: int
    files_per_second: float
    """Since this run began."""
    eta_seconds: float


@dataclass(frozen=True)
class Ended(Event):
    """Every file is in the table."""

    kind = "ended"
    table: str
    files: int
    unreadable: int
    classified_now: int
    """Files of this run; the others were in the table."""
    seconds: float


def classify_folder(order: Order) -> Iterator[Event]:
    """Classify every file that the table does not tell of yet, and write the answers to it.

    Raises:
        ConfigError: an option makes no sense, or there is no such engine.
        PictureError: there is nothing to classify.
        ModelError: there is no such model, or the engine can't be used here.
        LabError: the table is not one that this run can go on with.
    """
    order.check()
    files = find_files(order.sources, order.table)
    model = open_engine(order.model, order.engine, beside_decoders=True)
    form = Form(order.model, model.name, model.facts.class_names, order.top_k)
    with open_table(order.table, form, order.again) as table:
        left = [path for path in files if path not in table]
        done, bad = len(files) - len(left), table.unreadable(files)
        yield Opened(str(order.table), order.model, model.name, len(files), done)
        began = perf_counter()
        for batch in classify_many(left, model, order.batch_size):
            table.append(batch)
            done += len(batch)
            bad += sum(told.probabilities is None for told in batch)
            rate = (done - len(files) + len(left)) / (perf_counter() - began)
            yield Advanced(done, len(files), bad, rate, (len(files) - done) / rate)
        seconds = perf_counter() - began
        yield Ended(str(order.table), len(files), bad, len(left), seconds)
