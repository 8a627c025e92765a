"""Runs with real processes: killed, stopped, resumed, and read while they live."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from resnet_core.errors import RunError
from resnet_core.files import write_json
from resnet_core.runs.checkpoint import Progress, load_checkpoint, save_checkpoint
from resnet_core.runs.claims import claim
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.processes import _process_started_at_elsewhere, process_started_at
from tests.resnet_core.live_runs import (
    EPOCHS,
    ROOT,
    WORDS,
    assert_same_result,
    frozen,
    has_epochs,
    has_steps,
    run,
    start,
    wait_for,
)
from tests.small_data import NAME


def test_a_finished_run_tells_its_whole_story(unbroken: RunFolder) -> None:
    assert unbroken.state() is RunState.FINISHED
    kinds = [event["event"] for event in unbroken.events()]
    assert kinds[0] == "started" and kinds[-1] == "finished" and kinds.count("epoch") == EPOCHS
    assert unbroken.summary()["params"] == 75_290
    assert unbroken.environment()["torch"] == torch.__version__
    assert f"--model resnet8_v1 --data {NAME} --recipe taste" in unbroken.config()["command"]
    assert run("resume", unbroken.path).returncode == 2


@pytest.mark.parametrize("has_come_far", [has_steps, has_epochs])
def test_sigkill_and_resume_is_bit_identical(
    tmp_path: Path, unbroken: RunFolder, has_come_far: Callable[[RunFolder], bool]
) -> None:
    folder = RunFolder(tmp_path / "killed")
    process = start(*WORDS, "--run", folder.path)
    wait_for(lambda: folder.state_file.exists() and has_come_far(folder), process)
    with frozen(process.pid):
        assert folder.state() is RunState.RUNNING
        busy = run("resume", folder.path)
        assert busy.returncode == 2 and "already running" in busy.stderr
        process.send_signal(signal.SIGKILL)
    process.wait()
    assert folder.state() is RunState.INTERRUPTED
    with open(folder.events_file, "a") as file:
        file.write('{"event": "step", "st')  # what a kill in the middle of a write leaves
    resumed = run("resume", folder.path)
    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming at step" in resumed.stdout
    assert_same_result(folder, unbroken)


def test_sigkill_and_resume_on_cifar10_is_bit_identical(tmp_path: Path, data_folder: Path) -> None:
    words = [
        "train", "--model", "resnet8_v1", "--recipe", "taste", "--epochs", "0.05",
        "--batch-size", "16", "--checkpoint-seconds", "0.3", "--validation-images", "100",
        "--data-folder", data_folder,
    ]  # fmt: skip
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    assert run(*words, "--run", whole.path).returncode == 0
    process = start(*words, "--run", broken.path)
    wait_for(broken.state_file.exists, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run("resume", broken.path).returncode == 0
    first, second = load_file(whole.last_model_file), load_file(broken.last_model_file)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert whole.summary()["test_error_percent"] == broken.summary()["test_error_percent"]


def test_stop_checkpoints_exits_and_resumes_bit_identically(
    tmp_path: Path, unbroken: RunFolder
) -> None:
    folder = RunFolder(tmp_path / "stopped")
    process = start(*WORDS, "--run", folder.path)
    wait_for(lambda: has_steps(folder), process)
    asked = run("stop", folder.path)
    assert asked.returncode == 0 and "resume" in asked.stdout
    assert process.wait(timeout=60) == 0
    assert folder.state() is RunState.STOPPED
    assert folder.events()[-1]["event"] == "stopped"
    again = run("stop", folder.path)
    assert again.returncode == 2 and "is stopped" in again.stderr
    assert run("resume", folder.path).returncode == 0
    assert_same_result(folder, unbroken)


def test_a_run_without_data_fails_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "cifar10.npz").write_bytes(b"nonsense")
    done = run("train", "--model", "resnet8_v1", "--data-folder", tmp_path, "--run", tmp_path / "r")
    folder = RunFolder(tmp_path / "r")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert folder.state() is RunState.FAILED
    assert "can't be read" in folder.error_file.read_text()


def test_bad_options_leave_no_folder(tmp_path: Path) -> None:
    for words in (
        ["--model", "resnet21_v1"],
        ["--model", "resnet8_v1", "--epochs", "-1"],
        ["--model", "resnet8_v1", "--recipe", "x"],
    ):
        done = run("train", *words, "--data", "shapes", "--runs", tmp_path)
        assert (
            done.returncode == 2
            and done.stderr.startswith("Error: ")
            and "Traceback" not in done.stderr
        )
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_is_not_overwritten(unbroken: RunFolder) -> None:
    done = run(*WORDS, "--run", unbroken.path)
    assert done.returncode == 2 and "already holds a run" in done.stderr


def test_replayed_steps_replace_those_before_the_kill(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    lines = [
        {"event": "started", "step": 0}, {"event": "step", "step": 5},
        {"event": "epoch", "step": 10, "epoch": 1}, {"event": "step", "step": 12},
        {"event": "started", "step": 8}, {"event": "epoch", "step": 10, "epoch": 1},
    ]  # fmt: skip
    folder.events_file.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"eve')
    assert [(e["event"], e["step"]) for e in folder.events()] == [
        ("started", 0), ("step", 5), ("started", 8), ("epoch", 10),
    ]  # fmt: skip


def test_a_reused_process_number_is_not_taken_for_the_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    claim(folder, {})
    assert folder.state() is RunState.RUNNING
    facts = json.loads(folder.environment_file.read_text())
    write_json(folder.environment_file, facts | {"process_started_at": "1"})
    assert folder.state() is RunState.INTERRUPTED
    assert process_started_at(os.getpid()) and process_started_at(2**22 + 1) is None


@pytest.mark.parametrize(("status", "started_at"), [("running", "5.00"), ("zombie", None)])
def test_where_zombies_have_a_start_they_are_not_taken_for_living(
    status: str, started_at: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = SimpleNamespace(status=lambda: status, create_time=lambda: 5)
    macos = SimpleNamespace(Process=lambda _: process, STATUS_ZOMBIE="zombie", Error=OSError)
    monkeypatch.setitem(sys.modules, "psutil", macos)
    assert _process_started_at_elsewhere(1) == started_at


def test_a_checkpoint_survives_a_kill_in_the_middle_of_the_next(tmp_path: Path) -> None:
    program = """
import sys, torch
from pathlib import Path
from resnet_core.runs.checkpoint import Progress, save_checkpoint
net = torch.nn.Linear(3000, 3000)
opt = torch.optim.SGD(net.parameters(), lr=.1, momentum=.9)
g = torch.Generator()
step = 0
while True:
    step += 1
    torch.nn.init.constant_(net.weight, step)
    save_checkpoint(Path(sys.argv[1]), net, [opt], [g.get_state()], Progress(step=step))
    print(step, flush=True)
"""
    path = tmp_path / "last.state"
    for patience in (0.011, 0.023, 0.037):
        writer = subprocess.Popen(
            [sys.executable, "-c", program, str(path)], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert writer.stdout is not None and writer.stdout.readline()
        time.sleep(patience)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        net = torch.nn.Linear(3000, 3000)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        progress = load_checkpoint(path, net, [optimizer], torch.Generator())
        assert (net.weight == progress.step).all()


def test_a_damaged_or_foreign_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.state"
    net = torch.nn.Linear(4, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    save_checkpoint(path, net, [optimizer], [torch.Generator().get_state()], Progress())
    other = torch.nn.Linear(5, 5)
    with pytest.raises(RunError, match="can't be resumed"):
        load_checkpoint(
            path, other, [torch.optim.SGD(other.parameters(), lr=0.1)], torch.Generator()
        )
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunError, match="can't be resumed"):
        load_checkpoint(path, net, [optimizer], torch.Generator())


@pytest.mark.parametrize(("seed", "then"), [(5, 12), (-1, 6)])
def test_a_run_goes_on_on_another_kind_of_device(tmp_path: Path, seed: int, then: int) -> None:
    model, generator = torch.nn.Linear(2, 2), torch.Generator().manual_seed(seed)
    path = tmp_path / "last.state"
    elsewhere = torch.arange(16, dtype=torch.uint8)  # what a GPU's generator keeps
    save_checkpoint(path, model, [], [elsewhere], Progress(step=7))
    assert load_checkpoint(path, model, [], generator).step == 7
    # Neither what its own seed draws first, nor the same at every step.
    drawn = torch.rand(1, generator=generator)
    assert drawn == torch.rand(1, generator=torch.Generator().manual_seed(then))


def test_a_run_names_the_machines_it_was_trained_on(tmp_path: Path, unbroken: RunFolder) -> None:
    folder = RunFolder(tmp_path / "moved")
    shutil.copytree(unbroken.path, folder.path)
    folder.summary_file.unlink()
    before = {"cpu": "another", "cores": 16, "gpu": "a GPU", "process_id": 1}
    write_json(folder.environment_file, before | {"process_started_at": "never"})
    assert run("resume", folder.path).returncode == 0
    environment = folder.summary()["environment"]
    assert environment["torch"] == torch.__version__
    assert environment["earlier"] == [{"cpu": "another", "cores": 16, "gpu": "a GPU"}]
