"""A run that fills its disk: nothing written is lost, the reason is said, and it goes on after."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from resnet_core.runs import worker
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.queue import enqueue, waiting
from tests.resnet_core.live_runs import WORDS, assert_same_result, run
from tests.written_runs import write_run

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


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes that a worker starts, which only sleep here."""
    begun: list[subprocess.Popen[bytes]] = []

    def sleeper(words: list[str], log: Path) -> subprocess.Popen[bytes]:
        assert len(begun) < 4, "a worker that never ends"
        begun.append(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]))
        return begun[-1]

    monkeypatch.setattr(worker, "start_detached", sleeper)
    yield begun
    for process in begun:
        process.kill()
        process.wait()


def two_queued(runs: Path) -> list[RunFolder]:
    folders = [write_run(runs / name, steps=0) for name in ("one", "two")]
    for folder in folders:
        folder.environment_file.unlink()
        enqueue(folder)
    return folders


def fill(disk: Path) -> None:
    with open(disk / "filler", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError as error:
            assert error.errno == errno.ENOSPC


def test_on_a_full_disk_queued_runs_wait_and_their_worker_ends(
    small_disk: Path,
    children: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = two_queued(small_disk)
    (small_disk / ".worker.lock").touch()
    fill(small_disk)
    started: list[object] = []

    def look(seconds: float) -> None:
        assert seconds == worker.HELD_UP_SECONDS
        worker.ensure_worker(small_disk)  # as a page does, meanwhile and again and again

    monkeypatch.setattr(worker, "sleep", look)
    monkeypatch.setattr(worker, "start_detached", lambda *words: started.append(words))
    worker.work(small_disk)
    assert not started
    worker.ensure_worker(small_disk)
    assert len(started) == 1
    assert waiting(small_disk) == folders and children == []
    assert "one can't be begun and waits: [Errno 28] No space left" in capsys.readouterr().out


def test_a_child_whose_run_can_not_be_claimed_is_ended_and_the_run_waits(
    tmp_path: Path,
    children: list[subprocess.Popen[bytes]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = two_queued(tmp_path)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(worker, "claim", fail)
    monkeypatch.setattr(worker, "HELD_UP_SECONDS", 0.0)
    worker.work(tmp_path)
    assert waiting(tmp_path) == folders and not folders[0].error_file.exists()
    assert [process.poll() is not None for process in children] == [True]
    assert "No space left" in capsys.readouterr().out


def test_a_run_queued_while_a_held_up_worker_waits_has_its_turn(
    tmp_path: Path, children: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the command line, say: nobody looks at the queue again."""
    two_queued(tmp_path)
    begin = worker.claim

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def make_room_and_queue(seconds: float) -> None:
        if seconds != worker.HELD_UP_SECONDS:
            return
        monkeypatch.setattr(worker, "claim", claim_and_end)
        late = write_run(tmp_path / "three", steps=4)
        late.environment_file.unlink()
        enqueue(late)

    def claim_and_end(folder: RunFolder, *facts: object) -> None:
        begin(folder, *facts)  # type: ignore[arg-type]
        children[-1].kill()
        children[-1].wait()

    monkeypatch.setattr(worker, "claim", fail)
    monkeypatch.setattr(worker, "sleep", make_room_and_queue)
    worker.work(tmp_path)
    assert waiting(tmp_path) == []


def test_a_queued_run_of_a_damaged_folder_says_so_and_the_next_has_its_turn(
    tmp_path: Path, children: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = two_queued(tmp_path)
    bad.environment_file.write_text("{")
    claimed: list[str] = []
    claim = worker.claim

    def note(folder: RunFolder, *facts: object) -> None:
        claim(folder, *facts)  # type: ignore[arg-type]
        claimed.append(folder.name)
        children[-1].kill()  # it has trained enough

    monkeypatch.setattr(worker, "claim", note)
    worker.work(tmp_path)
    assert waiting(tmp_path) == [] and claimed == [good.name]
    assert bad.state() is RunState.FAILED and "is damaged" in bad.error_file.read_text()
