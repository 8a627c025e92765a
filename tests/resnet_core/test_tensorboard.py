"""TensorBoard files, read back by TensorBoard itself and held against the run's own events."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from resnet_core.errors import RunError
from resnet_core.events import Finished, Started, Stepped
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.tensorboard import choose_mirror
from tests.resnet_core.live_runs import ROOT, SMALL_DATA, has_steps, run, start, wait_for
from tests.small_data import NAME

WORDS = [
    "train", "--model", "plain8", "--data", NAME, "--data-folder", str(SMALL_DATA), "--recipe",
    "taste", "--batch-size", "16", "--epochs", "2", "--checkpoint-seconds", "0.5", "--threads", "1",
]  # fmt: skip


def curves_of(folder: RunFolder) -> dict[str, list[tuple[int, float, float]]]:
    """(step, wall time, value) by tag, as TensorBoard shows them."""
    reader = EventAccumulator(str(folder.tensorboard_folder), size_guidance={"scalars": 0})
    reader.Reload()
    return {
        tag: [(point.step, point.wall_time, point.value) for point in reader.Scalars(tag)]
        for tag in reader.Tags()["scalars"]
    }


def expected_curves(folder: RunFolder) -> dict[str, list[tuple[int, float, float]]]:
    """The same from events.jsonl, by the tags' names; one point a step, the first that came."""
    curves: dict[str, list[tuple[int, float, float]]] = {}
    for event in folder.events():
        figures = dict(event)
        for part, norm in figures.pop("gradient_norms", {}).items():
            figures[f"gradient_norm/{part}"] = norm
        for split in ("train", "validation", "test"):
            for what in ("loss", "error_percent"):
                figures[f"{what}/{split}"] = figures.pop(f"{split}_{what}", None)
        for tag, value in figures.items():
            is_shown = "/" in tag or tag in ("lr", "images_per_second")
            points = curves.setdefault(tag, []) if is_shown and value is not None else None
            if points is not None and not any(event["step"] == p[0] for p in points):
                points.append((event["step"], event["at"], float(np.float32(value))))
    return curves


def test_files_hold_what_the_events_say_after_a_kill_and_a_resume(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    process = start(*WORDS, "--tensorboard", "--run", folder.path)
    wait_for(lambda: folder.state_file.exists() and has_steps(folder), process)
    process.kill()
    process.wait()
    resumed = run("resume", folder.path)
    assert resumed.returncode == 0, resumed.stderr
    curves = curves_of(folder)
    assert curves == expected_curves(folder)
    assert {"error_percent/test", "error_percent/validation", "gradient_norm/stage1"} <= set(curves)
    assert len(list(folder.tensorboard_folder.iterdir())) == 2
    assert all(len({p[0] for p in points}) == len(points) for points in curves.values())


def test_steps_done_again_are_shown_once(tmp_path: Path) -> None:
    def started(step: int) -> Started:
        return Started(step, 9, 9, 90, 10, "cpu", "fp32", False, 1, 10, 1)

    def stepped(step: int, loss: float) -> Stepped:
        return Stepped(step, 9, 1, 0.1, loss, 50.0, 100.0, 1.0, {"stem": 2.0})

    folder = RunFolder(tmp_path)
    for events in (
        [started(0), stepped(2, 1.0), stepped(4, 1.0), stepped(6, 1.0)],
        [started(4), stepped(5, 2.0), stepped(9, 2.0), Finished(9, 1, 3.0, 40.0, 1.0)],
    ):
        assert list(choose_mirror(folder, True)(events)) == events
    losses = [(step, value) for step, _, value in curves_of(folder)["loss/train"]]
    assert losses == [(2, 1.0), (4, 1.0), (5, 2.0), (9, 2.0)]
    assert curves_of(folder)["error_percent/test"][0][2] == 40.0


def test_nothing_is_written_or_imported_unasked(tmp_path: Path) -> None:
    events: list = []
    assert list(choose_mirror(RunFolder(tmp_path), False)(events)) == []
    assert list(tmp_path.iterdir()) == []
    program = "import sys, resnet_core.training.run; sys.exit('tensorboard' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0


def test_a_missing_library_is_said_with_its_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    with pytest.raises(RunError, match="pip install tensorboard"):
        choose_mirror(RunFolder(tmp_path), True)


def test_resume_can_turn_it_on_and_off(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    process = start(*WORDS, "--run", folder.path)
    wait_for(lambda: has_steps(folder), process)
    folder.request_stop()
    assert process.wait(timeout=120) == 0 and folder.state() is RunState.STOPPED
    assert not folder.tensorboard_folder.exists()
    assert run("resume", "--tensorboard", folder.path).returncode == 0
    assert folder.config()["tensorboard"] is True
    assert "error_percent/test" in curves_of(folder)
