from __future__ import annotations

import json

import pytest

from benchmarks.rounds import Comparison


def test_a_ratio_is_the_median_of_rounds_and_not_of_figures() -> None:
    comparison = Comparison(ours=(10.0, 100.0, 30.0), theirs=(5.0, 10.0, 10.0))
    result = comparison.to_dict("images_per_second")
    assert result["ratio"] == 3.0 and (result["ratio_lowest"], result["ratio_highest"]) == (
        2.0,
        10.0,
    )
    assert result["ours_images_per_second"] == 30.0


def test_rounds_must_come_in_pairs() -> None:
    with pytest.raises(ValueError):
        _ = Comparison((1.0,), (1.0, 2.0)).ratios


def test_the_training_benchmark_runs_and_tells_its_conditions(run_module) -> None:
    words = (
        "--model",
        "resnet8_v1",
        "--data",
        "shapes",
        "--recipe",
        "taste",
        "--rounds",
        1,
        "--seconds",
        1,
        "--json",
    )
    done = run_module("benchmarks", "training", *words)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["ours_images_per_second"] > 0 and result["theirs_images_per_second"] > 0
    assert result["environment"]["torch"] and result["batch_size"] == 128
