"""`python -m benchmarks load`: latency against load, with MLPerf's own load generator."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.load.settings import LoadSettings
from resnet_core.console import Commands
from resnet_core.options import add_options
from resnet_core.training.config import default_data_folder

if TYPE_CHECKING:
    from benchmarks.throughput.cases import Setup


def add_load(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "latency against load: the four MLPerf scenarios through the real LoadGen"
    parser = commands.add_parser("load", help=text, description=f"{text}. Not an MLPerf result.")
    add_options(parser, LoadSettings)
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(),
        help="where data sets are (default: $RESNET_LAB_DATA or ./data)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, help="write results to this file after every run")
    parser.set_defaults(execute=_load)


def _load(options: argparse.Namespace) -> None:
    from benchmarks.load.loadgen import require_loadgen
    from benchmarks.load.measure import measure
    from benchmarks.load.report import as_line, closing_words, write_report
    from benchmarks.throughput.probe import LoadProbe
    from benchmarks.throughput.record import interrupted_by_terminate

    settings = LoadSettings(**{f.name: getattr(options, f.name) for f in fields(LoadSettings)})
    require_loadgen()
    setups = _setups(settings)
    environment, rows = _environment(), []
    _show("the reference answers the images first")
    with interrupted_by_terminate(), tempfile.TemporaryDirectory() as folder:
        _prepare(settings, options.data_folder, Path(folder))
        probe = LoadProbe()
        for setup in setups:
            for row in measure(setup, settings, Path(folder), probe):
                rows.append(row)
                _show("")
                print(as_line(row), flush=True)
                if options.json:
                    write_report(options.json, environment, settings, rows, done=False)
    if options.json:
        write_report(options.json, environment, settings, rows, done=True)
    print(closing_words(rows))


def _setups(settings: LoadSettings) -> list[Setup]:
    """One an engine: at the precision that is said, or its exact one."""
    from benchmarks.throughput.cases import plan_setups
    from export.catalogue import find_exported
    from export.engines.catalogue import find_engine

    find_exported(settings.model)
    choices = [find_engine(said)[0].key for said in settings.engines]
    return plan_setups([settings.model], choices, [settings.threads])


def _prepare(settings: LoadSettings, data_folder: Path, folder: Path) -> None:
    """Test images and the class that the reference gives each, as files for the processes."""
    from benchmarks.throughput.reference import reference_classes
    from export.catalogue import find_exported
    from export.session import OnnxSession
    from resnet_core.data.dataset import load_dataset

    data = OnnxSession(find_exported(settings.model).file, "cpu").facts.data
    images = folder / "images.npy"
    np.save(images, load_dataset(data, data_folder).test.images[: settings.images].numpy())
    np.save(folder / "expected.npy", reference_classes(settings.model, images))


def _environment() -> dict[str, Any]:
    from benchmarks.load.loadgen import loadgen_version
    from benchmarks.throughput.running import describe_here

    return describe_here() | {"loadgen": loadgen_version()}


def _show(line: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
