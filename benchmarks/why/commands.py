"""`python -m benchmarks why …`: what happens inside the nets, printed, as JSON, or into a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.why.settings import ANALYSES, SHIPPED_FOLDER, Settings, default_settings
from resnet_core.console import Commands
from resnet_core.options import add_options
from resnet_core.training.config import default_data_folder, default_runs_folder

if TYPE_CHECKING:
    from benchmarks.why.measure import Places


def add_why(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "what happens inside the nets: gradients, surgery, loss surfaces, responses, ensembles"
    why = commands.add_parser("why", help=text, description=text)
    analyses = why.add_subparsers(required=True, metavar="ANALYSIS")
    for name, kind in ANALYSES.items():
        _add_analysis(analyses, name, kind)
    text = "compute every result that ships anew, into one folder"
    parser = analyses.add_parser("all", help=text, description=text)
    parser.add_argument(
        "--out", type=Path, default=SHIPPED_FOLDER, help="folder (default: studies/analysis)"
    )
    _add_common(parser)
    parser.set_defaults(execute=_all)


def _add_analysis(
    analyses: Commands[argparse.ArgumentParser], name: str, kind: type[Settings]
) -> None:
    parser = analyses.add_parser(name, help=kind.question, description=kind.question)
    what = "such as plain56" if name == "gradients" else "shipped model, run or .safetensors file"
    defaults = " ".join(kind.default_models)
    parser.add_argument("model", nargs="*", help=f"{what} (default: {defaults})")
    add_options(parser, kind, only=[f.name for f in fields(kind) if f.name != "models"])
    parser.add_argument(
        "--out",
        type=Path,
        help="write results to this file as they come; one that is there goes on",
    )
    _add_common(parser)
    parser.set_defaults(execute=_one, kind=kind)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print results as lines of JSON")
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(),
        help="where data sets are (default: $RESNET_LAB_DATA or ./data)",
    )  # fmt: skip
    parser.add_argument(
        "--runs", type=Path, default=default_runs_folder(),
        help="folder of runs (default: $RESNET_LAB_RUNS or ./runs)",
    )  # fmt: skip


def _one(options: argparse.Namespace) -> None:
    kind = options.kind
    values = {f.name: getattr(options, f.name) for f in fields(kind) if f.name != "models"}
    settings = kind(models=tuple(options.model) or kind.default_models, **values)
    _work(settings, _places(options), options.out, options.json)


def _all(options: argparse.Namespace) -> None:
    for name in ANALYSES:
        out = options.out / f"{name}.jsonl"
        _work(default_settings(name), _places(options), out, options.json)


def _places(options: argparse.Namespace) -> Places:
    from benchmarks.why.measure import Places

    return Places(options.runs, options.data_folder)


def _work(settings: Settings, places: Places, out: Path | None, as_json: bool) -> None:
    from benchmarks.why.lines import describe_header, describe_row
    from benchmarks.why.stored import as_line

    events = _events(settings, places, out)
    header = next(events)
    shown = as_line(header) if as_json else describe_header(header) + "\n"
    print(shown, end="", flush=True)
    seen: list[dict[str, Any]] = []
    for event in events:
        seen.append(event)
        if as_json:
            print(as_line(event), end="", flush=True)
        elif event["event"] != "finished":
            print(describe_row(event, seen), flush=True)


def _events(settings: Settings, places: Places, out: Path | None) -> Iterator[dict[str, Any]]:
    """What was asked, rows that were there, rows as they are measured, the end."""
    from benchmarks.why.measure import prepare
    from benchmarks.why.stored import recorded, resume_or_begin

    prepared = prepare(settings, places)
    there = resume_or_begin(out, prepared.header) if out is not None else ()
    yield prepared.header
    yield from there
    missing = (row.to_dict() for row in prepared.rows(there))
    yield from recorded(out, missing)
