"""The queue with real processes: order, limit, and what survives the kill of whom."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from resnet_core.errors import ConfigError, RunError
from resnet_core.files import write_json
from resnet_core.locks import hold, try_hold
from resnet_core.runs import queue
from resnet_core.runs.claims import claim
from resnet_core.runs.deletion import delete_run
from resnet_core.runs.folder import RunFolder, RunState, list_runs
from resnet_core.runs.queue import enqueue, move, runs_at_once, set_runs_at_once, waiting, withdraw
from resnet_core.runs.worker import ensure_worker, step_back
from resnet_core.training.new_run import create_run, extend, read_config
from tests.resnet_core.live_runs import (
    WORDS,
    assert_same_result,
    has_steps,
    is_in,
    queue_run,
    run,
    wait_until,
)


@pytest.fixture
def runs(tmp_path: Path):
    """A folder of runs whose processes are ended with the test."""
    yield tmp_path
    for folder in list_runs(tmp_path):
        folder.queued_file.unlink(missing_ok=True)
    subprocess.run(["pkill", "-KILL", "-f", str(tmp_path)], check=False)


def a_run(runs: Path, name: str) -> RunFolder:
    from resnet_core.models.config import ModelConfig
    from resnet_core.training.config import TrainConfig
    from resnet_core.training.recipes import find_recipe

    config = TrainConfig(ModelConfig("resnet_v1", 8), "shapes", find_recipe("taste"), "data")
    return create_run(config, runs, runs / name)


def test_the_queue_keeps_order_and_can_be_changed(tmp_path: Path) -> None:
    a, b, c = (a_run(tmp_path, name) for name in "abc")
    for folder in (b, a, c):
        enqueue(folder)
    assert [f.name for f in waiting(tmp_path)] == ["b", "a", "c"]
    move(c, 1)
    assert [f.name for f in waiting(tmp_path)] == ["c", "b", "a"]
    move(c, 99)
    withdraw(a)
    assert [f.name for f in waiting(tmp_path)] == ["b", "c"]
    assert a.state() is RunState.STOPPED
    with pytest.raises(RunError, match="only a queued run"):
        withdraw(a)
    with pytest.raises(RunError, match="is queued"):
        enqueue(b)
    with pytest.raises(RunError, match="not in the queue"):
        move(a, 1)
    b.queued_file.write_text("{")  # edited by hand: still queued, first
    assert [f.name for f in waiting(tmp_path)] == ["b", "c"]


def test_a_full_queue_takes_no_more_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST_WAITING", 3)
    for name in "abc":
        enqueue(a_run(tmp_path, name))
    late = a_run(tmp_path, "d")
    with pytest.raises(RunError, match="3 runs wait already, and no more are taken"):
        enqueue(late)
    assert [f.name for f in waiting(tmp_path)] == ["a", "b", "c"]
    assert not late.queued_file.exists()
    withdraw(RunFolder(tmp_path / "a"))
    enqueue(late)
    assert [f.name for f in waiting(tmp_path)] == ["b", "c", "d"]


def test_a_failed_run_withdrawn_again_keeps_its_reason(tmp_path: Path) -> None:
    folder = a_run(tmp_path, "a")
    folder.error_file.write_text("No data.\n")
    enqueue(folder)
    assert folder.state() is RunState.QUEUED
    withdraw(folder)
    assert folder.state() is RunState.FAILED


def test_the_limit_is_a_setting(tmp_path: Path) -> None:
    assert runs_at_once(tmp_path) == 1
    set_runs_at_once(tmp_path, 3)
    assert runs_at_once(tmp_path) == 3
    with pytest.raises(ConfigError):
        set_runs_at_once(tmp_path, 0)
    (tmp_path / "settings.json").write_text("nonsense")
    assert runs_at_once(tmp_path) == 1


def test_how_far_trainings_step_back_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int, int]] = []
    monkeypatch.setattr(os, "setpriority", lambda *words: asked.append(words))
    monkeypatch.delenv("RESNET_LAB_NICENESS")
    step_back(2**22)  # no process has this number
    monkeypatch.setenv("RESNET_LAB_NICENESS", "19")
    step_back(2**22)
    assert asked == [(os.PRIO_PROCESS, 2**22, 5), (os.PRIO_PROCESS, 2**22, 19)]
    for wrong in ("-1", "20", "", "high"):
        monkeypatch.setenv("RESNET_LAB_NICENESS", wrong)
        with pytest.raises(ConfigError, match="0 to 19"):
            step_back(2**22)


def test_a_lock_is_let_go_when_its_holder_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    program = "import sys,time; from pathlib import Path; from resnet_core.locks import hold\nwith hold(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE,
                              cwd=Path(__file__).parents[2])  # fmt: skip
    assert holder.stdout is not None and holder.stdout.readline()
    with try_hold(path) as held:
        assert not held
    holder.kill()
    holder.wait()
    with hold(path), try_hold(path) as second:
        assert not second


def test_queued_runs_run_one_at_a_time_and_survive_the_kill_of_their_worker(
    runs: Path, unbroken: RunFolder
) -> None:
    first, second = queue_run(runs), queue_run(runs)
    wait_until(lambda: has_steps(first))
    assert (first.state(), second.state()) == (RunState.RUNNING, RunState.QUEUED)
    assert second.process_id() is None
    killed = subprocess.run(["pkill", "-KILL", "-f", f"runs work --runs {runs}"], check=False)
    assert killed.returncode == 0
    wait_until(is_in(first, RunState.FINISHED))  # a run outlives its worker
    assert second.state() is RunState.QUEUED
    listed = run("runs", "list", "--json", "--runs", runs)  # whoever looks brings a worker back
    assert [row["state"] for row in json.loads(listed.stdout)][-1] == "finished"
    wait_until(is_in(second, RunState.FINISHED))
    assert_same_result(first, unbroken)
    assert_same_result(second, unbroken)
    wait_until(lambda: not _is_working(runs))


def _is_working(runs: Path) -> bool:
    with try_hold(runs / ".worker.lock") as is_free:
        return not is_free


def test_a_killed_queued_run_is_interrupted_and_resumes_bit_identically(
    runs: Path, unbroken: RunFolder
) -> None:
    folder = queue_run(runs)
    wait_until(lambda: folder.state_file.exists())
    os.kill(folder.process_id() or 0, signal.SIGKILL)
    wait_until(is_in(folder, RunState.INTERRUPTED))
    assert not folder.error_file.exists()
    assert run("runs", "resume", folder.path).returncode == 0
    wait_until(is_in(folder, RunState.FINISHED))
    assert_same_result(folder, unbroken)


def test_stop_is_confirmed_by_the_end_of_the_process(runs: Path, unbroken: RunFolder) -> None:
    folder, waiter = queue_run(runs), queue_run(runs)
    assert run("runs", "stop", waiter.path).returncode == 0
    assert waiter.state() is RunState.STOPPED
    wait_until(lambda: folder.process_id() is not None)
    # Perhaps it is still importing: a stop that early holds too.
    done = run("runs", "stop", folder.path)
    assert done.returncode == 0 and "is stopped" in done.stdout
    assert folder.process_id() is None and folder.state() is RunState.STOPPED
    assert run("resume", folder.path).returncode == 0
    assert_same_result(folder, unbroken)


def test_a_run_that_can_not_start_fails_with_its_reason(runs: Path) -> None:
    folder = queue_run(runs, "--data", "cifar10", "--data-folder", runs / "data", "--device", "cpu")
    (runs / "data").mkdir(exist_ok=True)
    (runs / "data" / "cifar10.npz").write_bytes(b"nonsense")
    wait_until(lambda: folder.state() in (RunState.FAILED, RunState.FINISHED))
    rows = json.loads(run("runs", "list", "--json", "--runs", runs).stdout)
    assert rows[0]["state"] == "failed"
    assert "can't be read" in rows[0]["reason"] or "downloaded" in rows[0]["reason"]


def test_extending_trains_on_and_keeps_the_first_figures(runs: Path) -> None:
    folder = RunFolder(runs / "short")
    words = [*WORDS[:-4], "--epochs", "1", "--run", folder.path]
    assert run(*words).returncode == 0
    before = folder.summary()
    assert run("resume", folder.path).returncode == 2
    extend(folder, 1)
    assert folder.state() is RunState.INTERRUPTED and read_config(folder).recipe.epochs == 2
    assert run("resume", folder.path).returncode == 0
    after = folder.summary()
    assert (before["epochs"], after["epochs"]) == (1, 2)
    assert (before["test_readings"], after["test_readings"]) == (1, 2)
    assert json.loads((folder.path / "summary-1-epochs.json").read_text()) == before
    assert "runs extend RUN --epochs 1" in folder.config()["command"]
    assert [e["epoch"] for e in folder.events() if e["event"] == "epoch"] == [1, 2]
    with pytest.raises(RunError, match="more than 0"):
        extend(folder, 0)


def test_an_extension_within_an_epoch_reports_only_what_it_trained(runs: Path) -> None:
    """Sums begin anew at the first end; the rest of that epoch must not be diluted by what was counted."""
    folder = RunFolder(runs / "half")
    hardly = ["--lr", "1e-6", "--muon-lr", "1e-9"]
    words = [*WORDS[:-4], *hardly, "--epochs", "0.5", "--run", folder.path]
    assert run(*words).returncode == 0
    extend(folder, 0.5)
    assert run("resume", folder.path).returncode == 0
    ends = [e for e in folder.events() if e["event"] == "epoch"]
    assert [e["epoch"] for e in ends] == [1, 1] and ends[0]["step"] < ends[1]["step"]
    # The net hardly learns, so both halves have the loss of a net that knows nothing.
    assert ends[1]["train_loss"] == pytest.approx(ends[0]["train_loss"], rel=0.1)


def test_delete_asks_twice_and_refuses_a_running_run(tmp_path: Path) -> None:
    folder = a_run(tmp_path, "a")
    unasked = run("runs", "delete", folder.path)
    assert unasked.returncode == 2 and "--yes" in unasked.stderr and folder.path.exists()
    claim(folder, {})
    assert run("runs", "delete", folder.path, "--yes").returncode == 2
    facts = folder.environment() | {"process_started_at": "1"}
    write_json(folder.environment_file, facts)
    with pytest.raises(RunError, match="already running"):
        claim(folder, {})
        claim(folder, {}, process_id=1)
    write_json(folder.environment_file, facts)
    delete_run(folder)
    assert list_runs(tmp_path) == []


def test_looking_at_runs_needs_no_torch(tmp_path: Path) -> None:
    a_run(tmp_path, "a")
    program = (
        "import sys; from resnet_core.__main__ import main\n"
        "assert main(['runs', 'list', '--runs', sys.argv[1]]) == 0; sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=Path(__file__).parents[2],
                          capture_output=True, text=True)  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_a_damaged_folder_does_not_hide_the_others(tmp_path: Path) -> None:
    a_run(tmp_path, "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "config.json").write_text("{")
    done = run("runs", "list", "--runs", tmp_path)
    assert done.returncode == 0 and "damaged" in done.stdout and "interrupted" in done.stdout
    ensure_worker(tmp_path)  # nothing waits: starts nothing
    assert not (tmp_path / ".worker.log").exists()
