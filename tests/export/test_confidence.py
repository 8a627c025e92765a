"""Temperature, calibration error, energy score and AUROC against plain arithmetic and PyTorch."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from export.calibrate import (
    calibrate,
    calibration_error_percent,
    fit_temperature,
    negative_log_likelihood,
)
from export.classifier import classify
from export.confidence import (
    NOTHING,
    Calibration,
    Confidence,
    Familiarity,
    read_confidence,
    soften,
    write_confidence,
)
from export.onnx_file import write_onnx
from export.session import OnnxSession
from export.strangers import _familiar, measure_familiarity
from export.unlike import auroc_percent, energy
from resnet_core.data.dataset import Dataset, Split, split_validation
from resnet_core.errors import DataError
from resnet_core.onnx_names import confidence_file
from resnet_core.pictures import read_picture, to_input
from tests.export.test_onnx import make

SHIP = Path(__file__).resolve().parents[2] / "ui" / "classify" / "examples" / "ship.jpg"
FITTED = Calibration(5.0, "9 images", 1.0, 0.9, 10, 8.0, 2.0, "a command")
FAMILIAR = Familiarity(0.0, "9 images", 10, 5.0, (), "a command")
HELD_OUT, SPLIT_SEED = 150, 4


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """An untrained net in a run's folder, which set some of `shapes` aside."""
    folder = tmp_path_factory.mktemp("run")
    write_onnx(make("plain8", "A"), folder / "model.onnx", "a test", "shapes", None)
    config = {"recipe": {"validation_images": HELD_OUT}, "split_seed": SPLIT_SEED}
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "model.onnx"


@pytest.fixture
def data(shapes, monkeypatch) -> Dataset:
    """Some of `shapes`, drawn once, in the place of all of them."""
    first = torch.arange(600)
    some = Dataset("shapes", shapes.train.take(torch.arange(2000)), shapes.test.take(first),
                   shapes.class_names)  # fmt: skip
    for module in ("export.calibrate", "export.strangers"):
        monkeypatch.setattr(f"{module}.load_dataset", lambda name, folder: some)
    monkeypatch.setattr("export.strangers.COUNT", 200)
    return some


@pytest.fixture
def fresh(model: Path, tmp_path: Path) -> Path:
    """A copy that nothing was measured of."""
    copied = tmp_path / "model.onnx"
    copied.write_bytes(model.read_bytes())
    return copied


def test_the_temperature_is_found_again() -> None:
    """Labels drawn from the softmax of logits, which are then made too sure by 2.5."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (6000, 10))
    shares = torch.tensor(logits).softmax(1)
    labels = torch.multinomial(shares, 1, generator=torch.Generator().manual_seed(0))[:, 0].numpy()
    found = fit_temperature(2.5 * logits, labels)
    assert found == pytest.approx(2.5, rel=0.05)
    tried = np.linspace(1, 5, 401)
    losses = [F.cross_entropy(torch.tensor(2.5 * logits / t), torch.tensor(labels)) for t in tried]
    assert found == pytest.approx(tried[int(np.argmin(losses))], abs=0.02)
    assert negative_log_likelihood(2.5 * logits / found, labels) <= float(min(losses)) + 1e-9
    before = calibration_error_percent(2.5 * logits, labels)
    assert calibration_error_percent(2.5 * logits / found, labels) < before / 3


def test_the_calibration_error_is_that_of_the_definition(rng) -> None:
    logits, labels = rng.normal(0, 3, (500, 4)), rng.integers(0, 4, 500)
    shares = torch.tensor(logits).softmax(1).numpy()
    confidence, is_right = shares.max(1), shares.argmax(1) == labels
    total = 0.0
    for low in np.arange(15) / 15:
        chosen = (confidence >= low) & (confidence < low + 1 / 15)
        if chosen.any():
            total += chosen.mean() * abs(is_right[chosen].mean() - confidence[chosen].mean())
    assert calibration_error_percent(logits, labels) == pytest.approx(100 * total, abs=1e-9)


def test_softening_is_a_softmax_of_divided_logits(rng) -> None:
    logits = torch.tensor(rng.normal(0, 4, (50, 10)))
    softened = soften(logits.softmax(1).float().numpy(), 2.2)
    np.testing.assert_allclose(softened, (logits / 2.2).softmax(1), atol=1e-6)
    certain = soften(np.array([[1.0, 0.0]], np.float32), 1.5)
    assert certain.sum() == pytest.approx(1) and np.isfinite(certain).all()


def test_energy_and_auroc_are_those_of_their_definitions(rng) -> None:
    logits = rng.normal(0, 30, (40, 10))
    np.testing.assert_allclose(energy(logits), torch.tensor(logits).logsumexp(1), rtol=1e-12)
    ours, theirs = rng.integers(0, 12, 60).astype(float), rng.integers(-4, 8, 45).astype(float)
    pairs = np.sign(ours[:, None] - theirs[None])  # ties among them: a half each
    expected = 100 * (pairs.mean() + 1) / 2
    assert auroc_percent(ours, theirs) == pytest.approx(expected, abs=1e-9)


def test_a_net_is_calibrated_on_what_its_run_set_aside(model: Path, data) -> None:
    found = calibrate("a-run", model, Path())
    _, held_out = split_validation(data.train, HELD_OUT, SPLIT_SEED)
    logits = torch.tensor(OnnxSession(model, "cpu").run(held_out.images.numpy())[0]).double()
    before = F.cross_entropy(logits, held_out.labels).item()
    after = F.cross_entropy(logits / found.temperature, held_out.labels).item()
    assert found.nll_before == pytest.approx(before, rel=1e-5)
    assert found.nll_after == pytest.approx(after, rel=1e-5)
    assert found.nll_after < found.nll_before
    assert found.fitted_on == "150 validation images of shapes"
    assert found.test_images == 600


def test_a_net_that_set_nothing_aside_is_not_calibrated(fresh: Path, data) -> None:
    with pytest.raises(DataError, match=r"all training images.*--validation-images 5000"):
        calibrate("a-run", fresh, Path())
    assert read_confidence(fresh) == NOTHING


def test_the_threshold_leaves_out_few_of_its_own_kind(model: Path, fresh: Path, data) -> None:
    found = measure_familiarity("a-run", model, Path())
    assert found.threshold_from == "150 validation images of shapes"
    assert (found.test_images, [s.name for s in found.strangers]) == (
        600, ["noise", "soft noise"],
    )  # fmt: skip
    assert 1 <= found.test_flagged_percent <= 12  # 5 and the chance of 150 images
    halves = measure_familiarity("a-run", fresh, Path())
    assert halves.test_images == 300 and "half of the test images" in halves.threshold_from
    assert 1 <= halves.test_flagged_percent <= 11


def test_halves_hold_every_class_though_the_images_stand_in_their_order(fresh: Path, data) -> None:
    """Ten classes in turn, as some copies of CIFAR-10 have them: every second image has five."""
    labels = torch.arange(600) % 10
    images = torch.arange(600)[:, None, None, None].expand(600, 2, 2, 3)
    ordered = Dataset("ordered", data.train, Split(images, labels), data.class_names)
    like, test, _ = _familiar(fresh, ordered)
    for half in (like, test):
        assert len(half) == 300 and set(half.labels.tolist()) == set(range(10))
    both = torch.cat([like.images, test.images])[:, 0, 0, 0]
    assert sorted(both.tolist()) == list(range(600))


def test_what_was_measured_of_other_weights_is_nothing(fresh: Path) -> None:
    known = Confidence(FITTED, FAMILIAR)
    write_confidence(fresh, known)
    assert read_confidence(fresh) == known
    note = confidence_file(fresh)
    whole = note.read_text()
    for at, text in enumerate(("{", "[]", '{"format": "another"}')):
        note.write_text(text)
        os.utime(note, ns=(at, at))  # clocks of file systems are coarse
        assert read_confidence(fresh) == NOTHING
    note.write_text(whole)
    os.utime(note, ns=(9, 9))
    assert read_confidence(fresh) == known
    fresh.write_bytes(fresh.read_bytes() + b"\x00")
    os.utime(fresh, ns=(9, 9))
    assert read_confidence(fresh) == NOTHING


def test_an_answer_uses_and_names_its_calibration(fresh: Path) -> None:
    seen = to_input(read_picture(SHIP).image, 32)
    logits = torch.tensor(OnnxSession(fresh, "cpu").run(seen[None])[0][0])
    plain = classify(SHIP, str(fresh), "onnxruntime-cpu")
    np.testing.assert_allclose(plain.probabilities, logits.softmax(0), atol=1e-5)
    assert plain.notes == ()
    write_confidence(fresh, Confidence(FITTED))
    answer = classify(SHIP, str(fresh), "onnxruntime-cpu")
    np.testing.assert_allclose(answer.probabilities, (logits / 5).softmax(0), atol=1e-5)
    assert answer.notes == ("Confidence calibrated: temperature 5.00, fitted on 9 images.",)


def test_a_strange_picture_is_called_strange(fresh: Path) -> None:
    seen = to_input(read_picture(SHIP).image, 32)
    score = float(energy(OnnxSession(fresh, "cpu").run(seen[None])[0].astype(float))[0])
    for threshold, strange in ((score + 0.1, True), (score - 0.1, False)):
        write_confidence(fresh, Confidence(None, replace(FAMILIAR, threshold=threshold)))
        notes = classify(SHIP, str(fresh), "onnxruntime-cpu").notes
        assert any("Unlike the pictures" in note for note in notes) == strange


def test_the_commands_write_beside_the_model(run_module, fresh: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (40, 30), (9, 99, 9)).save(tmp_path / "photos" / "a.png")
    (tmp_path / "photos" / "notes.txt").write_text("not a picture")
    done = run_module("export", "unlike", fresh, "--photos", tmp_path / "photos")
    assert done.returncode == 0, done.stderr
    assert "1 photos in photos are" in done.stdout
    kept = read_confidence(fresh).familiarity
    assert kept is not None and [s.images for s in kept.strangers] == [2000, 2000, 1]
