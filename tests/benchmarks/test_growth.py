"""The slope of what is sampled, against scipy and against lines that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.folder.memory import MemoryCurve
from benchmarks.growth import BLOCKS, growth
from benchmarks.under_load.watch import slope_mb_per_minute


def test_the_line_and_its_interval_are_scipy_s(rng) -> None:
    at, held = np.arange(0.0, 97.0), rng.normal(0, 1, 97).cumsum()
    blocks = [[part.mean() for part in np.array_split(each, BLOCKS)] for each in (at, held)]
    theirs = stats.linregress(*blocks)
    found = growth(at, held)
    assert found is not None
    half = stats.t.ppf(0.975, BLOCKS - 2) * theirs.stderr
    assert (found.slope, found.half_width) == pytest.approx((theirs.slope, half))
    assert growth(at[:19], held[:19]) is None and growth(at[:20], held[:20]) is not None


def test_the_interval_covers_the_truth_as_often_as_it_says(rng) -> None:
    """Independent noise on a line: 19 of 20 intervals hold its slope."""
    at = np.arange(200) / 10
    found = [growth(at, 0.7 * at + rng.normal(0, 3, 200)) for _ in range(400)]
    covered = np.mean([abs(each.slope - 0.7) <= each.half_width for each in found if each])
    assert 0.91 <= covered <= 0.985


def test_both_benchmarks_say_the_same_of_the_same_samples(rng) -> None:
    at, held = list(range(0, 6000, 60)), rng.normal(300, 3, 100).tolist()
    folder = MemoryCurve(at, held).growth_mb
    load = slope_mb_per_minute([float(n) for n in at], held, at[50])
    assert folder is not None and load is not None
    assert folder.slope / 1000 == pytest.approx(load["slope"] / 60)
    width = (load["highest"] - load["lowest"]) / 2
    assert folder.half_width / 1000 == pytest.approx(width / 60)
