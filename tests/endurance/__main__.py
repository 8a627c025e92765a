"""`python -m tests.endurance`: attacks that run for minutes or hours, and what survived them."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

from tests.endurance.results import FOLDER


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_fuzz(commands)
    _add_kills(commands)
    _add_soak(commands)
    options = parser.parse_args(arguments)
    for name in ("cases", "times", "jobs"):
        if (asked := getattr(options, name, 1)) < 1:
            parser.error(f"--{name} should be at least 1, not {asked}")
    return int(options.execute(options))


def _add_fuzz(commands: argparse._SubParsersAction) -> None:
    fuzz = commands.add_parser("fuzz", help="feed bad input to every parser of outside data")
    fuzz.add_argument("--cases", type=int, default=1_000_000, help="in all (default: a million)")
    fuzz.add_argument("--seed", type=int, default=1, help="(default: 1)")
    fuzz.add_argument("--only", nargs="*", default=[], metavar="PARSER", help="default: all")
    fuzz.add_argument(
        "--out", type=Path, default=FOLDER / "fuzz.json",
        help="file of results (default: that which ships, studies/reliability/fuzz.json)",
    )  # fmt: skip
    fuzz.add_argument(
        "--pause-file", type=Path, default=Path(), help="nothing is fed while it exists"
    )
    fuzz.set_defaults(execute=_fuzz)


def _fuzz(options: argparse.Namespace) -> int:
    from tests.endurance.fuzz.campaign import Campaign, run
    from tests.endurance.fuzz.catalogue import TARGETS

    if unknown := _unknown(options.only, TARGETS):
        return unknown
    campaign = Campaign(
        options.cases, options.seed, tuple(options.only), options.out, options.pause_file
    )
    return 0 if run(campaign) else 1


def _unknown(only: Sequence[str], known: Collection[str]) -> int:
    """Status 2 where --only names what is not there, else 0."""
    wrong = [name for name in only if name not in known]
    if wrong:
        print(f"Error: --only takes {', '.join(known)}, not {', '.join(wrong)}.", file=sys.stderr)
    return 2 if wrong else 0


def _add_kills(commands: argparse._SubParsersAction) -> None:
    kills = commands.add_parser("kills", help="kill -9 at random moments, and see what is left")
    kills.add_argument("--times", type=int, default=200, help="in all (default: 200)")
    kills.add_argument("--seed", type=int, default=1, help="(default: 1)")
    kills.add_argument("--only", nargs="*", default=[], metavar="WORK", help="default: all")
    kills.add_argument(
        "--out", type=Path, default=FOLDER / "kills.json",
        help="file of results (default: that which ships, studies/reliability/kills.json)",
    )  # fmt: skip
    kills.set_defaults(execute=_kills)


def _kills(options: argparse.Namespace) -> int:
    from tests.endurance.kills.rounds import ATTACKS, run

    if unknown := _unknown(options.only, ATTACKS):
        return unknown
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    run(options.times, options.seed, tuple(options.only), folder, options.out)
    shutil.rmtree(folder)  # kept where something went wrong
    return 0


def _add_soak(commands: argparse._SubParsersAction) -> None:
    soak = commands.add_parser("soak", help="thousands of jobs in one process, and what it holds")
    soak.add_argument("--jobs", type=int, default=3000, help="(default: 3000, a day's use)")
    soak.add_argument("--seed", type=int, default=1, help="(default: 1)")
    soak.add_argument(
        "--out", type=Path, default=FOLDER / "soak.json",
        help="file of results (default: that which ships, studies/reliability/soak.json)",
    )  # fmt: skip
    soak.add_argument(
        "--pause-file", type=Path, default=Path(), help="nothing is done while it exists"
    )
    soak.set_defaults(execute=_soak)


def _soak(options: argparse.Namespace) -> int:
    from tests.endurance.soak import run

    found = run(options.jobs, options.seed, options.out, options.pause_file)
    for name, slope in found.get("slopes", {}).items():
        print(f"{name:10} {slope['per_1000_jobs']:+.2f} ± {slope['half_width']:.2f} in 1,000 jobs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
