"""`python -m benchmarks compare-speed` and `speed-report`: results of two files, or of one."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.throughput.commands import as_table
from benchmarks.throughput.stored import CASE, case_of, read_speed
from resnet_core.console import Commands
from resnet_core.errors import ConfigError
from resnet_core.files import write_text
from resnet_core.plural import counted

if TYPE_CHECKING:
    from benchmarks.throughput.compare import Compared


def add_speed_reports(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "two files of throughput results: faster, slower, or no difference shown"
    compare = commands.add_parser("compare-speed", help=text, description=text)
    compare.add_argument("a", type=Path, help="results before, or of one machine")
    compare.add_argument("b", type=Path, help="results after, or of the other")
    compare.add_argument(
        "--fail-under", type=float, metavar="RATIO",
        help="end with status 1 if a case is shown to be slower and its interval of b over a is "
        "wholly below this, or if a case of a fails in b",
    )  # fmt: skip
    compare.add_argument("--json", action="store_true", help="print one JSON object")
    compare.set_defaults(execute=_compare)

    text = "results of throughput: a table, CSV, or one HTML page"
    report = commands.add_parser("speed-report", help=text, description=text)
    report.add_argument("--file", type=Path, required=True, help="what throughput --json wrote")
    report.add_argument("--csv", type=Path, help="write a line a row to this file")
    report.add_argument("--html", type=Path, help="write figures and tables to this page")
    report.set_defaults(execute=_report)


def _compare(options: argparse.Namespace) -> int:
    from benchmarks.throughput.compare import compare_speed, failed, in_words, why_lost
    from benchmarks.throughput.machine import differences
    from benchmarks.throughput.report import comparison_text

    limit = options.fail_under
    if limit is not None and not limit > 0:
        raise ConfigError(f"--fail-under should be more than 0, such as 0.9, not {limit:g}.")
    a, b = read_speed(options.a), read_speed(options.b)
    found = compare_speed(a, b)
    if limit is not None:
        _check_testable(found.rows)
    slow = [row for row in found.rows if limit is not None and row.is_below(limit)]
    broken = failed(found) if limit is not None else []
    if options.json:
        told: dict[str, Any] = {
            "rows": [row.to_dict() for row in found.rows],
            "lost": list(found.lost),
            "gained": list(found.gained),
            "environments": [dict(zip(("what", "a", "b"), d, strict=True)) for d in differences(a.environment, b.environment)],
            "below": [row.case for row in slow],
            "failed": [dict(zip(CASE, case_of(row), strict=True)) for row in broken],
        }  # fmt: skip
        print(json.dumps(told, indent=2))
    else:
        print(comparison_text(a, b, found))
    for row in slow:
        print(f"Below {limit:g}: {_who(row.case)}: {in_words(row)}", file=sys.stderr)
    for lost in broken:
        case = dict(zip(CASE, case_of(lost), strict=True))
        print(f"Fails in the second: {_who(case)}: {why_lost(lost)}", file=sys.stderr)
    return 1 if slow or broken else 0


def _check_testable(rows: Sequence[Compared]) -> None:
    """A gate that nothing could fail is none.

    Raises:
        ConfigError: cases of one round, which no test can show to be slower.
    """
    from benchmarks.throughput.compare import UNTESTED

    untested = [row for row in rows if row.verdict == UNTESTED]
    if untested:
        raise ConfigError(
            f"--fail-under can't be judged for {len(untested)} of {counted(len(rows), 'case')} "
            f"(the first: {_who(untested[0].case)}), as a file has no two rounds of it: "
            "measure both with --rounds 2 or more."
        )


def _who(case: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in case.items())


def _report(options: argparse.Namespace) -> None:
    from benchmarks.throughput.report import speed_csv, speed_html

    stored = read_speed(options.file)
    if options.csv:
        write_text(options.csv, speed_csv(stored))
    if options.html:
        write_text(options.html, speed_html(stored))
    print(as_table(stored.rows))
