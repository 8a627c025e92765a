"""What ships: every model's file against its card, on real test pixels, with plain tools."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.special import logsumexp
from scipy.stats import mannwhitneyu

from export.confidence import read_confidence
from export.verify import verify_onnx
from resnet_core.models.cost import count_cost
from resnet_core.models.saved import load_model
from resnet_core.pictures import to_input
from resnet_core.zoo import ZOO_FOLDER, zoo_entries
from tests.plain_onnx import classes_of, open_onnx

ENTRIES = {entry.name: entry for entry in zoo_entries()}


def test_the_zoo_is_complete_and_small() -> None:
    assert {"resnet20_v1", "plain20", "resnet56_v1", "plain56"} <= ENTRIES.keys()
    assert sum(p.stat().st_size for p in ZOO_FOLDER.rglob("*")) <= 40e6


# He et al. 2015, Table 6, and for 56 layers what a GPU was asked for.
BARS = {"resnet20_v1": 8.25, "resnet56_v1": 6.3, "resnet110_v1": 6.0}


@pytest.mark.parametrize("name", ENTRIES)
def test_plain_onnxruntime_on_raw_pixels_reaches_the_cards_error(
    name: str, data_folder: Path
) -> None:
    """No code of ours between the file of pixels and the file of the model."""
    with np.load(data_folder / "cifar10.npz") as data:
        images, labels = data["x_test"], data["y_test"]
    guesses = classes_of(ENTRIES[name].onnx_file, images)
    error_percent = 100 * (guesses != labels).mean()
    # A tie of two classes may fall either way on another chip: two pictures at the most.
    assert error_percent == pytest.approx(ENTRIES[name].card["test_error_percent"], abs=0.021)
    assert error_percent <= BARS.get(name, 100)


@pytest.mark.parametrize("name", ENTRIES)
def test_weights_card_and_file_are_one_model(name: str) -> None:
    entry = ENTRIES[name]
    saved = load_model(entry.weights_file)
    assert saved.model.config.to_dict() == entry.card["config"]
    assert count_cost(saved.model.config).params == entry.card["params"]
    assert verify_onnx(entry.onnx_file, saved.model, None).passed
    with open(entry.folder / "history.csv", encoding="utf-8") as file:
        history = list(csv.DictReader(file))
    assert len(history) == entry.card["epochs"]
    assert float(history[-1]["train_error_percent"]) == entry.card["train_error_percent"]
    assert "test" not in entry.card["recipe"]["keep"]
    assert entry.card["command"].startswith("python -m resnet_core train")


@pytest.mark.parametrize("name", ENTRIES)
def test_what_is_said_of_strange_pictures_is_of_these_weights(name: str) -> None:
    """Shipped figures belong to the shipped file: after new weights, `unlike` is run anew."""
    found = read_confidence(ENTRIES[name].onnx_file)
    assert found.familiarity is not None, f"run python -m export unlike {name}"
    kinds = {each.name for each in found.familiarity.strangers}
    assert kinds == {"shapes", "noise", "soft noise"}
    assert found.familiarity.command.startswith(f"python -m export unlike {name}")
    assert found.familiarity.environment["onnxruntime"]
    held_out = ENTRIES[name].card["recipe"]["validation_images"]
    assert (found.calibration is not None) == bool(held_out)
    expected = f"{held_out:,} validation images" if held_out else "half of the test images"
    assert found.familiarity.threshold_from.startswith(expected)
    if found.calibration:
        assert found.calibration.fitted_on == f"{held_out:,} validation images of cifar10"


def test_the_shipped_auroc_is_found_again(data_folder: Path) -> None:
    """resnet20 on noise drawn here and test images drawn here, by scipy's rank test."""
    found = read_confidence(ENTRIES["resnet20_v1"].onnx_file).familiarity
    (noise,) = [each for each in found.strangers if each.name == "soft noise"]
    rng = np.random.default_rng(9)
    with np.load(data_folder / "cifar10.npz") as data:
        test = rng.permutation(data["x_test"])[:1000]
    coarse = rng.integers(0, 256, (400, 4, 4, 3), np.uint8)
    drawn = np.stack([to_input(Image.fromarray(each), 32) for each in coarse])
    session = open_onnx(ENTRIES["resnet20_v1"].onnx_file)
    like, strange = (
        logsumexp(session.run(["logits"], {"image": images})[0].astype(float), axis=1)
        for images in (test, drawn)
    )
    share = mannwhitneyu(like, strange).statistic / len(like) / len(strange)
    assert 100 * share == pytest.approx(noise.auroc_percent, abs=2)
    assert 100 * (strange < found.threshold).mean() == pytest.approx(noise.flagged_percent, abs=8)


def test_resnet20_agrees_with_pytorch_on_every_test_image(run_module, data_folder: Path) -> None:
    data = ("--data-folder", data_folder)
    verified = run_module("export", "verify", ENTRIES["resnet20_v1"].onnx_file, "--json", *data)
    parity = json.loads(verified.stdout)
    assert verified.returncode == 0 and parity["passed"]
    assert parity["agreement_percent"] == 100 and parity["max_logit_difference"] <= 1e-4
    measured = run_module(
        "resnet_core", "evaluate", "resnet20_v1", "--split", "test", "--json", *data
    )
    assert json.loads(measured.stdout)["error_percent"] == pytest.approx(
        parity["test_error_percent"], abs=0.021
    )


def test_classify_command(run_module, tmp_path: Path) -> None:
    ship = Path("ui/classify/examples/ship.jpg")
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    answer = json.loads(run_module("export", "classify", ship, "--json", "--top-k", 3).stdout)[0]
    assert answer["classes"][0]["name"] == "ship" and len(answer["classes"]) == 3
    both = run_module("export", "classify", ship, bad)
    assert both.returncode == 2 and "A ship." in both.stdout and "empty" in both.stdout
    alone = run_module("export", "classify", bad)
    assert alone.returncode == 2 and alone.stderr.startswith("Error: This file is empty")
    unknown = run_module("export", "classify", ship, "--model", "resnet99")
    assert unknown.returncode == 2 and "resnet20_v1" in unknown.stderr
