"""What training takes and gains is told as it was measured."""

from __future__ import annotations

import numpy as np
import pytest

from resnet_core.files import read_json
from tests.docs import README, STUDIES, read_page

PAGE = read_page("train")
AMX = "xeon-amx-2-of-16-cores"
VECTORS = "epyc-avx512-2-cores"


@pytest.mark.parametrize(("machine", "feature"), [(AMX, "amx_bf16"), (VECTORS, "avx512_bf16")])
def test_the_stored_training_speed_stands_in_its_table(machine: str, feature: str) -> None:
    found = read_json(STUDIES / "training" / f"{machine}.json")
    assert found["environment"]["threads"] == 2 and feature in found["environment"]["cpu_features"]
    ratio = f"{found['ratio']:.1f} ({found['ratio_lowest']:.1f} to {found['ratio_highest']:.1f})"
    theirs, ours = found["theirs_images_per_second"], found["ours_images_per_second"]
    assert f"| {theirs:.0f} images/s | {ours:.0f} images/s | {ratio} |" in PAGE
    told = ratio.replace(" (", " times (")
    (row,) = [line for line in README.splitlines() if line.startswith("| training `resnet20_v1`")]
    assert row.split(" | ")[2 if machine == VECTORS else 3].removesuffix(" |") == told


def test_the_shipped_transfer_stands_in_its_table() -> None:
    shipped = read_json(STUDIES / "transfer" / "cifar10-50-a-class.json")
    names = {"head": "head only", "last_stage": "last stage and head", "all": "all of it",
             "scratch": "from random weights, 100 epochs"}  # fmt: skip
    for row in shipped["summary"]:
        errors = [
            each["test_error_percent"] for each in shipped["results"] if each["way"] == row["way"]
        ]
        assert len(errors) == 3 and np.mean(errors) == pytest.approx(row["test_error_percent"])
        half = 4.303 * np.std(errors, ddof=1) / 3**0.5  # Student's t, two degrees of freedom
        assert (
            f"| {names[row['way']]} | {np.mean(errors):.2f} ± {half:.2f} % "
            f"| {row['train_seconds']:.1f} s |"
        ) in PAGE
    assert f"{shipped['start_test_error_percent']:.2f} % test error" in PAGE
