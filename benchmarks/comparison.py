"""`python -m benchmarks compare`: final figures of runs side by side, and files to keep."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from resnet_core.console import Commands
from resnet_core.files import write_text
from resnet_core.runs.folder import find_run
from resnet_core.training.config import default_runs_folder


def add_compare(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "runs side by side: final figures, curves as CSV or a page"
    parser = commands.add_parser("compare", help=text, description=text)
    parser.add_argument("run", nargs="+", help="run folders, or their names under --runs")
    parser.add_argument(
        "--runs", type=Path, help="folder of runs (default: $RESNET_LAB_RUNS or ./runs)"
    )
    parser.add_argument("--csv", type=Path, help="write every point of every run to this file")
    parser.add_argument("--html", type=Path, help="write figures and table to this one page")
    parser.add_argument(
        "--x", choices=("epoch", "images", "seconds"), default="epoch",
        help="what the page's curves run over (default: epoch)",
    )  # fmt: skip
    parser.add_argument(
        "--group", choices=("run", "seeds"), default="run",
        help="draw each run, or seeds as their mean and a band (default: run)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the final figures as JSON")
    parser.set_defaults(execute=_compare)


def _compare(options: argparse.Namespace) -> None:
    from benchmarks.figures.downloads import comparison_csv, comparison_html
    from benchmarks.figures.final_table import final_table

    folders = [find_run(name, options.runs or default_runs_folder()) for name in options.run]
    rows = final_table(folders)
    if options.csv:
        write_text(options.csv, comparison_csv(folders))
    if options.html:
        write_text(options.html, comparison_html(folders, options.x, options.group))
    print(json.dumps(rows, indent=2) if options.json else _table(rows))


def _table(rows: Sequence[dict[str, Any]]) -> str:
    from benchmarks.figures.final_table import COLUMNS, cells

    lines = [[heading for heading, _ in COLUMNS], *(cells(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
