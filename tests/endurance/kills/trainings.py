"""Kills through training, through a depth study, and through an export."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.endurance.kills.attack import Attack, check_files, visible_files, without_times
from tests.endurance.kills.process import processes_of

WORDS = [
    "--recipe", "taste", "--data", "shapes", "--epochs", "0.4", "--batch-size", "64",
    "--checkpoint-seconds", "0.05", "--threads", "1", "--precision", "fp32", "--compile", "off",
]  # fmt: skip


def weights_digest(path: Path) -> str:
    """Of the tensors: the order of what safetensors writes beside them is left to chance."""
    from safetensors.torch import load_file

    from resnet_core.models.saved import hash_tensors

    return hash_tensors(load_file(path))


def _run_result(run: Path) -> dict[str, Any]:
    from resnet_core.runs.folder import RunFolder

    folder = RunFolder(run)
    kept = ("test_error_percent", "test_loss", "train_error_percent", "kept_epoch", "test_readings")
    summary = {key: folder.summary().get(key) for key in kept}
    epochs = [without_times(e) for e in folder.events() if e["event"] == "epoch"]
    return {"summary": summary, "epochs": epochs, "weights": weights_digest(folder.last_model_file)}


def _run_state(run: Path) -> str:
    from resnet_core.runs.folder import RunFolder, RunState

    if not (run / "config.json").exists():
        return "not begun"
    state = RunFolder(run).state()
    assert state in (RunState.INTERRUPTED, RunState.FINISHED, RunState.QUEUED), state
    return state.value


@dataclass(frozen=True)
class Training(Attack):
    name: str = "train"
    share: int = 30

    def work(self, _: Path, folder: Path) -> object:
        from resnet_core.__main__ import main

        run = folder / "run"
        if (run / "summary.json").exists():
            return 0
        if (run / "config.json").exists():
            return main(["resume", str(run)])
        return main(["train", "--model", "plain8", *WORDS, "--run", str(run)])

    def check(self, folder: Path) -> str:
        check_files(folder)
        return _run_state(folder / "run")

    def result(self, folder: Path) -> Any:
        files = {path.name for path in visible_files(folder)}
        return _run_result(folder / "run") | {"files": sorted(files)}


@dataclass(frozen=True)
class Exporting(Attack):
    name: str = "export"
    share: int = 10

    def prepare(self, shared: Path) -> None:
        Training().work(shared, shared)

    def work(self, shared: Path, folder: Path) -> object:
        from export.__main__ import main

        run = folder / "run"
        if not run.exists():
            shutil.copytree(shared / "run", folder / ".copy")
            (folder / ".copy").rename(run)
        return main(["onnx", str(run)])

    def check(self, folder: Path) -> str:
        check_files(folder)
        return "made" if (folder / "run" / "model.onnx").exists() else "not made"

    def result(self, folder: Path) -> Any:
        import numpy as np

        from export.session import OnnxSession

        session = OnnxSession(folder / "run" / "model.onnx", "cpu", threads=1)
        size = session.facts.input_size
        images = np.random.default_rng(0).integers(0, 256, (3, size, size, 3), np.uint8)
        return {"logits": session.run(images)[0].tolist(), "facts": repr(session.facts)}


@dataclass(frozen=True)
class Studying(Attack):
    name: str = "study"
    share: int = 8

    def work(self, _: Path, folder: Path) -> object:
        from benchmarks.__main__ import main

        nets = ["--families", "plain", "--depths", "8", "--seeds", "2"]
        return main(["depth", *nets, *WORDS, "--study", str(folder / "study"), "--at-once", "1"])

    def end_all(self, folder: Path) -> None:
        for process_id in processes_of(folder):
            try:
                os.kill(process_id, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def check(self, folder: Path) -> str:
        from benchmarks.depth.results import read_results
        from benchmarks.depth.study import STUDY_FILE, read_study

        check_files(folder)
        if not (folder / "study" / STUDY_FILE).exists():
            return "not begun"
        study = read_study(folder / "study")
        read_results(study)
        states = sorted(_run_state(run.path) for run in study.folders())
        return ", ".join(states) or "planned"

    def result(self, folder: Path) -> Any:
        runs = sorted(path.parent for path in (folder / "study").glob("*/config.json"))
        return {run.name: _run_result(run) for run in runs}
