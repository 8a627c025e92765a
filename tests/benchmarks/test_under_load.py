from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.under_load.client import BUSY, ERROR, LOST, RIGHT, WRONG, Outcome, _judge
from benchmarks.under_load.questions import Question
from benchmarks.under_load.report import as_text, fairness, is_clean, latency_ms, outcomes
from benchmarks.under_load.watch import slope_mb_per_minute


def told(*counts: int) -> list[list[Outcome]]:
    return [[Outcome(RIGHT, 10.0)] * count for count in counts]


def test_every_client_is_answered_rightly_while_a_net_trains(
    run_module, data_folder: Path, tmp_path: Path
) -> None:
    """The short form of the published run: a training, a benchmark, and eight clients."""
    file = tmp_path / "result.json"
    done = run_module(
        "benchmarks", "under-load", "--clients", 8, "--seconds", 5, "--pictures", 8,
        "--burst", 20, "--data-folder", data_folder, "--json", file,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(file.read_text())
    found = result["outcomes"]
    assert found[RIGHT] >= 8 and not any(found[kind] for kind in (WRONG, LOST, ERROR, BUSY))
    assert result["fairness"]["fewest"] >= 1
    burst = result["burst"]
    assert burst["taken"] == 20 and burst["answers"] == {RIGHT: 20}
    assert result["environment"] and result["memory_mb"]["peak"] > 0


def test_another_picture_s_answer_is_seen() -> None:
    question = Question("a.png", b"", "ship", {"ship": 0.9, "truck": 0.1})
    other = {"label": "ship", "confidences": [{"label": "ship", "confidence": 0.8}, {"label": "truck", "confidence": 0.2}]}  # fmt: skip
    own = {"label": "ship", "confidences": [{"label": "truck", "confidence": 0.1}, {"label": "ship", "confidence": 0.9}]}  # fmt: skip
    assert _judge(own, question)[0] == RIGHT
    assert _judge(other, question)[0] == WRONG  # the same label, yet not this picture's
    assert _judge({"label": "ship", "confidences": []}, question)[0] == WRONG


@pytest.mark.parametrize("kind", [WRONG, LOST, ERROR, BUSY])
def test_one_bad_outcome_is_not_clean(kind: str) -> None:
    burst = {"answers": {RIGHT: 3}, "otherwise_refused": 0}
    good = told(3, 3)
    assert is_clean({**outcomes(good), "burst": burst})
    bad = [*good, [Outcome(kind, 1.0, "why")]]
    assert not is_clean({**outcomes(bad), "burst": burst})
    assert outcomes(bad)["said"] == ["why"]
    assert not is_clean({**outcomes(good), "burst": burst | {"answers": {RIGHT: 3, LOST: 1}}})


def test_fairness_is_jain_s_index() -> None:
    assert fairness(told(5, 5, 5, 5)) == {"jain": 1.0, "fewest": 5.0, "most": 5.0}
    assert fairness(told(8, 0, 0, 0))["jain"] == pytest.approx(1 / 4)  # one of n has all: 1/n
    assert fairness(told(1, 2, 3))["jain"] == pytest.approx(36 / (3 * 14))


def test_percentiles_are_of_right_answers() -> None:
    times = [Outcome(RIGHT, float(ms)) for ms in range(701)]
    assert latency_ms([[*times, Outcome(ERROR, 1e9)]]) == {
        "p50": 350, "p90": 630, "p99": 693, "most": 700,
    }  # fmt: skip


def test_a_percentile_that_the_answers_are_too_few_for_is_not_told() -> None:
    """The kit's rule: 662 for the 99th."""
    few, enough = (latency_ms(told(count)) for count in (661, 662))
    assert few == {"p50": 10, "p90": 10, "p99": None, "most": 10} and enough["p99"] == 10
    assert latency_ms([[Outcome(ERROR, 1.0)]]) == {}
    said = as_text({
        **outcomes(told(661)), "latency_ms": few, "fairness": fairness(told(661)),
        "settings": {"clients": 1}, "seconds": 60.0, "memory_slope_mb_per_minute": None,
        "memory_mb": {"first": 1, "last": 1, "peak": 1}, "open_files": {"first": 1, "last": 1, "most": 1},
        "benchmarks_finished": 1, "benchmarks_failed": 0,
        "burst": {"asked": 0, "taken": 0, "answers": {}, BUSY: 0},
    })  # fmt: skip
    assert "latency: p50 10 ms, p90 10 ms, p99 too few, most 10 ms" in said


def test_the_slope_finds_a_leak_and_its_interval_tells_it_from_noise(rng) -> None:
    seconds = np.arange(0, 300, 0.5)
    noise = rng.normal(0, 3, len(seconds))
    start = np.where(seconds < 60, seconds, 60) * 2  # warming up
    flat = slope_mb_per_minute(list(seconds), list(200 + start + noise), 60)
    leak = slope_mb_per_minute(list(seconds), list(200 + start + noise + 5 * seconds / 60), 60)
    assert flat["lowest"] < 0 < flat["highest"]
    assert leak["lowest"] < 5 < leak["highest"] and leak["lowest"] > 0
    assert slope_mb_per_minute([1.0, 2.0], [1.0, 2.0], 0) is None
