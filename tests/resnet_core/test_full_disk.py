"""A run that fills its disk: nothing written is lost, the reason is said, and it goes on after."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from resnet_core.runs.folder import RunFolder, RunState
from tests.resnet_core.live_runs import WORDS, assert_same_result, run

# Room for the first files of a run, and for one and a half of its checkpoints.
DISK_BYTES = 1_400_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, which needs root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(disk)]
    if subprocess.run(words, check=False, capture_output=True).returncode:
        pytest.fail("This test mounts a small disk: run it as root, as CI does.")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_said_and_the_run_goes_on_after(
    small_disk: Path, unbroken: RunFolder
) -> None:
    folder = RunFolder(small_disk / "run")
    done = run(*WORDS, "--run", folder.path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "is full: make room" in done.stderr and "Traceback" not in done.stderr
    assert folder.state() is RunState.FAILED
    assert "is full: make room" in folder.error_file.read_text()
    assert not list(folder.path.glob("*.tmp"))
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    again = run("resume", folder.path)
    assert again.returncode == 0, again.stderr
    assert_same_result(folder, unbroken)
