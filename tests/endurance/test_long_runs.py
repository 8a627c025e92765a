"""The short forms of `python -m tests.endurance kills` and `soak`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.endurance import soak

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("work", ["import", "train"])
def test_killed_at_a_random_moment_it_loses_nothing(work: str, tmp_path: Path) -> None:
    """In a process of its own, which forks before it ever computes."""
    out = tmp_path / "kills.json"
    words = ["kills", "--times", "2", "--only", work, "--seed", "3", "--out", out]
    done = subprocess.run(
        [sys.executable, "-m", "tests.endurance", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert "'kills': 2" in done.stdout


def test_a_short_life_leaves_no_files_open_and_no_temporary_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("RESNET_LAB_RUNS", "RESNET_LAB_ENGINE"):
        monkeypatch.setenv(name, "")  # put back afterwards
    found = soak.run(90, 2, None)
    middle, last = found["samples"][len(found["samples"]) // 2], found["samples"][-1]
    assert (
        last["files"] <= middle["files"] + 3 and last["children"] <= found["samples"][0]["children"]
    )
    assert last["temporary"] <= middle["temporary"] + 3
