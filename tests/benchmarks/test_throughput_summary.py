"""What rounds say of a rate: medians, intervals and ranges, by scipy and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.throughput.cases import Setup
from benchmarks.throughput.commands import as_table
from benchmarks.throughput.measure import Result
from benchmarks.throughput.stored import spread_in_words
from benchmarks.throughput.summary import (
    INTERVAL,
    RANGE,
    Spread,
    median_interval,
    rate_of,
    spread_of,
)
from export.engines.catalogue import find_choice
from export.latency import percentiles, samples_needed

SETUP = Setup("resnet20_v1", find_choice("onnxruntime-cpu"), 0)


def test_medians_and_percentiles_are_what_they_are_called() -> None:
    values = np.random.default_rng(1).normal(100, 5, 30).tolist()
    median, low, high = median_interval(values)
    theirs = stats.bootstrap(
        (values,), np.median, method="percentile", n_resamples=5000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert median == np.median(values)
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.6)
    assert samples_needed(0.99) == 662
    assert percentiles([1.0] * 661)["p99_ms"] is None and percentiles([1.0] * 662)["p99_ms"] == 1.0


def test_three_processes_have_an_interval_over_their_medians() -> None:
    """Student's t on logarithms; an interrupted process has fewer rounds, and counts as much."""
    processes = [(90.0, 110.0), (130.0, 120.0), (100.0,)]
    values = [rate for each in processes for rate in each]
    starts = [at for at, each in enumerate(processes, start=1) for _ in each]
    medians = [np.log(np.median(each)) for each in processes]
    low, high = np.exp(stats.t.interval(0.95, 2, np.mean(medians), stats.sem(medians)))
    found = spread_of(values, starts)
    assert found is not None and found.kind == INTERVAL
    assert (found.low, found.high) == pytest.approx((low, high))
    assert rate_of(values, starts) == pytest.approx(stats.gmean(np.exp(medians)))
    assert rate_of(values) == rate_of(values, [1, 1, 2, 2, 2]) == 110.0


def test_ninety_five_of_a_hundred_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(7)
    starts = np.repeat([1, 2, 3], 3)
    drawn = rng.normal(0, 0.03, (600, 3)).repeat(3, axis=1) + rng.normal(0, 0.01, (600, 9))
    found = [spread_of(np.exp(each).tolist(), starts.tolist()) for each in drawn]
    held = np.mean([spread is not None and spread.low <= 1 <= spread.high for spread in found])
    told = [rate_of(np.exp(each).tolist(), starts.tolist()) for each in drawn]
    assert all(
        each and each.low <= rate <= each.high for each, rate in zip(found, told, strict=True)
    )
    assert held == pytest.approx(0.95, abs=0.03)


def test_few_processes_have_a_range_and_one_round_has_nothing() -> None:
    assert spread_of([3.0, 1.0, 2.0]) == Spread(1.0, 3.0, RANGE)
    assert spread_of([3.0, 1.0, 2.0], [1, 2, 2]) == Spread(1.0, 3.0, RANGE)
    assert spread_of([3.0]) is None


def test_rows_say_what_kind_of_spread_they_hold() -> None:
    result = Result(SETUP)
    values = [1.0] * 20 + [2.0] * 20 + [3.0] * 20
    result.rates = {1: values, 4: [1.0, 2.0], 8: [5.0]}
    result.held_rates = {1: [10 * value for value in values]}
    result.starts = {1: [1] * 20 + [2] * 20 + [3] * 20 + [3], 4: [1, 2], 8: [1]}  # interrupted
    result.latencies_ms = {1: [1.0], 4: [1.0], 8: [1.0]}
    many, few, one = result.rows([1, 4, 8])
    assert many["images_per_second_spread"] == INTERVAL and len(many["starts"]) == 60
    assert many["images_per_second_low"] < 1.0 and many["images_per_second_high"] > 3.0
    low = many["images_per_second_without_copies_low"]
    assert low == pytest.approx(10 * many["images_per_second_low"])
    assert spread_in_words(few) == "range 1 to 2" and spread_in_words(one) == "one round"
    assert one["images_per_second"] == 5.0 and one["images_per_second_high"] is None


def test_a_row_without_a_median_says_none() -> None:
    row = {
        "model": "resnet20_v1", "engine": "pytorch-eager", "precision": "fp32", "threads": 1,
        "batch_size": 512, "valid": True, "images_per_second": 100.0, "images_per_second_low": 90.0,
        "images_per_second_high": 110.0, "p50_ms": None, "disturbed_rounds": 1,
    }  # fmt: skip
    line = as_table([row])
    assert line.endswith("100 images/s (range 90 to 110), 1 round disturbed")
