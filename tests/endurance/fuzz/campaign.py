"""A campaign against all parsers: a process each, counts and bugs into one file of results."""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet_core.files import read_json, write_json
from resnet_core.training.run import current_commit
from tests.endurance.fuzz.catalogue import TARGETS
from tests.endurance.fuzz.target import MOST_SECONDS, Target
from tests.endurance.results import envelope

FORMAT = "resnet-lab-fuzzing-1"
PAUSED = 75  # as `child` has it, which can be imported with Atheris alone
MOST_STARTS = 50
"""Of one parser's process, which a crash ends."""
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Campaign:
    """What to do, and where it goes."""

    cases: int
    """In all, shared out among the parsers."""
    seed: int
    only: tuple[str, ...]
    """Names of parsers; empty for all."""
    out: Path
    pause_file: Path
    """While it is there, nothing is fed."""

    @property
    def targets(self) -> list[Target]:
        return [t for name, t in TARGETS.items() if not self.only or name in self.only]


def shares(targets: list[Target], cases: int) -> dict[str, int]:
    """Cases for each parser; together at least as many as asked for."""
    total = sum(target.share for target in targets)
    return {target.name: -(-cases * target.share // total) for target in targets}


def run(campaign: Campaign) -> bool:
    """Feed every parser its share; says whether none broke.

    Results are written after each parser; the same command goes on where it was ended.
    """
    wanted = shares(campaign.targets, campaign.cases)
    found = _done_before(campaign, wanted)
    done = {row["parser"] for row in found}
    with tempfile.TemporaryDirectory(prefix="fuzzing-", dir=_quick_folder()) as folder:
        for target in (t for t in campaign.targets if t.name not in done):
            row = _attack(target, wanted[target.name], campaign, Path(folder))
            found.append(row)
            print(
                f"{row['parser']:15} {row['cases']:9,} cases, {row['read']:9,} read, "
                f"{row['refused']:9,} refused, {len(row['bugs'])} bugs, {row['crashes']} crashes, "
                f"slowest {row['slowest_seconds']:.2f} s, {row['peak_rss_mb']} MB",
                flush=True,
            )
            write_json(campaign.out, _result(campaign, found))
    return not any(row["bugs"] or row["crashes"] for row in found)


def _done_before(campaign: Campaign, wanted: dict[str, int]) -> list[dict[str, Any]]:
    try:
        held = read_json(campaign.out)
        rows = held["parsers"] if held["seed"] == campaign.seed else []
        return [row for row in rows if row["cases"] >= wanted.get(row["parser"], math.inf)]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def _quick_folder() -> Path | None:
    """Memory instead of a disk, where the system has such a folder: inputs are written as files."""
    shm = Path("/dev/shm")
    return shm if shm.is_dir() and os.access(shm, os.W_OK) else None


def _attack(target: Target, wanted: int, campaign: Campaign, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {
        "parser": target.name, "what": target.what, "commit": current_commit(), "cases": 0, "read": 0, "refused": 0,
        "broken": 0, "crashes": 0, "bugs": {}, "ends": [], "slowest_seconds": 0.0, "peak_rss_mb": 0,
    }  # fmt: skip
    for start in range(MOST_STARTS):
        if row["cases"] >= wanted:
            break
        while campaign.pause_file.name and campaign.pause_file.exists():
            time.sleep(1)
        tally = folder / f"{target.name}-{start}.json"
        status = _feed(target, wanted - row["cases"], campaign, tally, campaign.seed + start)
        _add(row, json.loads(tally.read_text()) if tally.exists() else {})
        if status and status != PAUSED:
            row["crashes"] += 1
            row["ends"].append(_how_it_ended(status, tally))
        shutil.rmtree(next(folder.glob(f"fuzz-{target.name}-*"), folder / "none"), True)
    return row


def _feed(target: Target, cases: int, campaign: Campaign, tally: Path, seed: int) -> int:
    words = [sys.executable, "-m", "tests.endurance.fuzz.child", target.name, cases, seed, tally,
             campaign.pause_file]  # fmt: skip
    with open(tally.with_suffix(".log"), "wb") as log:
        done = subprocess.run([*map(str, words)], cwd=ROOT, stdout=log, stderr=log, check=False)
    return done.returncode


def _add(row: dict[str, Any], tally: dict[str, Any]) -> None:
    for key in ("cases", "read", "refused", "broken"):
        row[key] += tally.get(key, 0)
    for key in ("slowest_seconds", "peak_rss_mb"):
        row[key] = max(row[key], tally.get(key, 0))
    for key, bug in tally.get("bugs", {}).items():
        row["bugs"].setdefault(key, bug)


def _how_it_ended(status: int, tally: Path) -> dict[str, Any]:
    log = tally.with_suffix(".log").read_text(errors="replace")
    inputs = [path.read_bytes().hex()[:20_000] for path in tally.parent.glob("fuzz-*/ended-by-*")]
    return {"status": status, "log": log[-3000:], "inputs": inputs}


def _result(campaign: Campaign, found: list[dict[str, Any]]) -> dict[str, Any]:
    words = f"python -m tests.endurance fuzz --cases {campaign.cases} --seed {campaign.seed}"
    return envelope(FORMAT, words) | {
        "cases": sum(row["cases"] for row in found),
        "seed": campaign.seed,
        "most_seconds": MOST_SECONDS,
        "parsers": found,
    }
