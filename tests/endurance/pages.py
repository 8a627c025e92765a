"""The tables of `docs/reliability.md`, from the files of results."""

from __future__ import annotations

from typing import Any

from resnet_core.files import read_json
from tests.endurance.results import FOLDER


def fuzz_table() -> list[str]:
    found = read_json(FOLDER / "fuzz.json")
    lines = ["| parser of | cases | read | refused in a sentence | slowest |", "| --- | --- | --- | --- | --- |"]  # fmt: skip
    for row in found["parsers"]:
        lines.append(
            f"| {row['what']} | {row['cases']:,} | {row['read']:,} | {row['refused']:,} | "
            f"{row['slowest_seconds']:.2f} s |"
        )
    together = [sum(row[key] for row in found["parsers"]) for key in ("cases", "read", "refused")]
    return [*lines, "| together | " + " | ".join(f"{n:,}" for n in together) + " | |"]


def kills_table() -> list[str]:
    found = read_json(FOLDER / "kills.json")
    lines = ["| killed while at | kills | what stood there then |", "| --- | --- | --- |"]
    for row in found["attacks"]:
        states = ", ".join(f"{state}: {count}" for state, count in sorted(row["states"].items()))
        lines.append(f"| {row['attack']} | {row['kills']} | {states} |")
    return [*lines, f"| together | {found['kills']} | |"]


def soak_table() -> list[str]:
    found = read_json(FOLDER / "soak.json")
    names = {
        "files": "open files", "threads": "threads", "children": "child processes",
        "temporary": "temporary files", "rss_mb": "memory (MB)",
    }  # fmt: skip
    lines = ["| held | after the warm-up | at the end | growth in 1,000 jobs |", "| --- | --- | --- | --- |"]  # fmt: skip
    for key, name in names.items():
        slope: dict[str, Any] = found["slopes"][key]
        lines.append(
            f"| {name} | {slope['first']:.0f} | {slope['last']:.0f} | "
            f"{slope['per_1000_jobs']:+.2f} ± {slope['half_width']:.2f} |"
        )
    return lines
