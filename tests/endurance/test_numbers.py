"""Figures are those of the raw predictions, the same in any process, and rebuilt from a folder alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.depth.study import SHIPPED_FOLDER
from resnet_core.data.dataset import load_dataset
from resnet_core.models.saved import load_model
from resnet_core.runs.folder import RunFolder
from tests.resnet_core.live_runs import SMALL_DATA
from tests.small_data import NAME

ROOT = Path(__file__).resolve().parents[2]
DRAWN = """
import hashlib, json
from pathlib import Path
import numpy as np, torch
from benchmarks.depth.statistics import half_width
from benchmarks.throughput.summary import median_interval
from resnet_core.data.dataset import load_dataset, split_validation
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import PixelModel

def digest(*arrays):
    return hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays)).hexdigest()

shapes = load_dataset("shapes", Path())
kept, held_out = split_validation(shapes.train, 300, 7)
torch.manual_seed(3)
net = PixelModel(ModelConfig("resnet_v1", 8), torch.zeros(3), torch.ones(3))
print(json.dumps({
    "shapes": digest(shapes.train.images.numpy(), shapes.test.labels.numpy()),
    "split": digest(kept.labels.numpy(), held_out.images.numpy()),
    "weights": digest(*(t.numpy() for t in net.state_dict().values())),
    "bootstrap": median_interval([3.0, 1.0, 4.0, 1.5, 9.0]),
    "interval": half_width([8.1, 8.4, 8.2]),
}))
"""


def test_the_same_seed_draws_the_same_in_fresh_processes() -> None:
    """Python's own hashing is seeded anew in each: nothing may hang on the order of a set."""
    said = [
        subprocess.run(
            [sys.executable, "-c", DRAWN], cwd=ROOT, capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads},
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    ]  # fmt: skip
    assert json.loads(said[0]) == json.loads(said[1])


def test_a_run_reports_what_its_predictions_are(unbroken: RunFolder) -> None:
    import torch

    model, test = (
        load_model(unbroken.result_model_file()).model,
        load_dataset(NAME, SMALL_DATA).test,
    )
    with torch.no_grad():
        logits = model(test.images).double().numpy()
    labels = test.labels.numpy()
    summary = unbroken.summary()
    wrong = 100 * np.mean(logits.argmax(axis=1) != labels)
    likelihood = logits[np.arange(len(labels)), labels] - np.log(np.exp(logits).sum(axis=1))
    # A run that computes in bf16 may answer otherwise where two classes are all but equal.
    is_exact = next(e for e in unbroken.events() if e["event"] == "started")["precision"] == "fp32"
    slack = 1e-9 if is_exact else 0.5
    assert summary["test_error_percent"] == pytest.approx(wrong, abs=slack)
    assert summary["test_loss"] == pytest.approx(-likelihood.mean(), abs=1e-4 if is_exact else 0.02)


def test_a_shipped_card_reports_what_its_predictions_are(cifar10) -> None:
    from export.session import OnnxSession
    from resnet_core.zoo import find_in_zoo

    entry = find_in_zoo("plain20")
    session, test = OnnxSession(entry.onnx_file, "cpu"), cifar10.test
    answers = [session.run(part.numpy())[1].argmax(axis=1) for part in test.images.split(500)]
    wrong = 100 * np.mean(np.concatenate(answers) != test.labels.numpy())
    assert entry.card["test_error_percent"] == pytest.approx(
        wrong, abs=0.011
    )  # one image more or less


def test_a_study_is_told_the_same_from_its_folder_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    from benchmarks.__main__ import main

    moved = tmp_path / "elsewhere" / "cifar10-taste-3"
    shutil.copytree(SHIPPED_FOLDER / "cifar10-taste-3", moved)
    told = []
    for number, study in enumerate((SHIPPED_FOLDER / "cifar10-taste-3", moved)):
        out = tmp_path / f"report-{number}"
        words = ["--csv", f"{out}.csv", "--html", f"{out}.html", "--json"]
        assert main(["depth-report", "--study", str(study), *words]) == 0
        pages = [out.with_suffix(end).read_text() for end in (".csv", ".html")]
        told.append([text.replace(str(study), "STUDY") for text in (capsys.readouterr().out, *pages)])  # fmt: skip
    (said, csv, html), (said_there, csv_there, html_there) = told
    assert said == said_there and csv == csv_there
    assert len(html) == len(html_there)  # plotly names its divisions at random
