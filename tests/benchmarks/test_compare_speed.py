"""Two files of results: the test behind each verdict, what only one has, and the status for CI."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.throughput.compare import compare_speed, in_words, summary
from benchmarks.throughput.report import COLUMNS
from benchmarks.throughput.stored import read_speed
from resnet_core.errors import ConfigError
from tests.conftest import ROOT
from tests.resnet_core.live_runs import wait_until
from tests.written_speed import ENVIRONMENT, failed_row, speed_file, speed_row, write_speed

rng = np.random.default_rng(3)
CASES = [("onnxruntime-cpu", 1), ("onnxruntime-cpu", 8), ("openvino-cpu", 1), ("openvino-cpu", 8)]


def rates(mean: float, spread: float = 0.02, count: int = 9) -> list[float]:
    return (mean * np.exp(rng.normal(0, spread, count))).tolist()


def rows_of(factors: list[float], starts: bool = False) -> list[dict]:
    own = [1, 1, 1, 2, 2, 2, 3, 3, 3] if starts else ()
    return [
        speed_row(engine=engine, batch=batch, rates=rates(1000 * batch * factor), starts=own)
        for (engine, batch), factor in zip(CASES, factors, strict=True)
    ]


@pytest.fixture
def pair(tmp_path: Path):
    def write(a: list[dict], b: list[dict], **others) -> tuple[Path, Path]:
        first = write_speed(tmp_path / "a.json", a)
        return first, write_speed(tmp_path / "b.json", b, **others)

    return write


def test_ratio_interval_and_p_are_welch_s_on_logarithms(pair) -> None:
    a, b = rows_of([1.0] * 4), rows_of([1.5, 0.8, 1.0, 1.0])
    found = compare_speed(*map(read_speed, pair(a, b)))
    for row, first, second in zip(found.rows, a, b, strict=True):
        logs = np.log(second["rates"]), np.log(first["rates"])
        theirs = stats.ttest_ind(*logs, equal_var=False)
        low, high = np.exp(theirs.confidence_interval(0.95))
        assert row.p == pytest.approx(theirs.pvalue) and row.unit == "rounds"
        assert (row.low, row.high) == pytest.approx((low, high))
        assert row.ratio == pytest.approx(np.exp(logs[0].mean() - logs[1].mean()))
    assert [row.verdict for row in found.rows[:2]] == ["faster", "slower"]


def test_holm_s_correction_is_the_textbook_s(pair) -> None:
    found = compare_speed(
        *map(read_speed, pair(rows_of([1.0] * 4), rows_of([1.02, 0.98, 1.01, 1.0])))
    )
    p = np.array([row.p for row in found.rows])
    order = np.argsort(p)
    expected = np.empty(4)
    expected[order] = np.minimum(1, np.maximum.accumulate((4 - np.arange(4)) * p[order]))
    assert [row.p_holm for row in found.rows] == pytest.approx(expected)


def test_several_processes_are_compared_by_their_medians(pair) -> None:
    a, b = rows_of([1.0] * 4, starts=True), rows_of([1.2] * 4, starts=True)
    row = compare_speed(*map(read_speed, pair(a, b))).rows[0]
    medians = [np.median(np.log(r["rates"]).reshape(3, 3), axis=1) for r in (b[0], a[0])]
    assert row.unit == "processes"
    assert row.p == pytest.approx(stats.ttest_ind(*medians, equal_var=False).pvalue)


def test_no_difference_no_test_and_words(pair) -> None:
    a = [speed_row(), speed_row(batch=8, rates=[100.0])]
    b = [speed_row(), speed_row(batch=8, rates=[150.0])]
    found = compare_speed(*map(read_speed, pair(a, b)))
    assert [row.verdict for row in found.rows] == ["no difference shown", "one round: no test"]
    assert in_words(found.rows[1]) == "1.50 times: one round: no test"
    assert "p = 1" in found.rows[0].statistic and not found.rows[1].is_below(9)
    assert summary(found) == "Of 2 cases in both: 1 no difference shown, 1 one round: no test."


def test_what_only_one_file_has_is_listed(run_module, pair) -> None:
    wrong = failed_row("openvino-cpu", "fp32", "only 70 % agree", agreement=70.0)
    a = [speed_row(), speed_row(engine="openvino-cpu"), speed_row(batch=64)]
    paths = pair(
        a, [speed_row(), wrong, speed_row(batch=2)], environment=ENVIRONMENT | {"cores": 8}
    )
    done = run_module("benchmarks", "compare-speed", *paths)
    assert done.returncode == 0, done.stderr
    assert (
        "No figure in the second: resnet20_v1 openvino-cpu:fp32, threads all, batch 1: only 70 %"
        in (done.stdout)
    )
    assert "1 cases of the first have no figure in the second" in done.stdout
    assert "1 cases of the second have no figure in the first" in done.stdout
    assert "cores: 2 → 8" in done.stdout


def test_fail_under_ends_with_1_only_when_the_whole_interval_is_below(run_module, pair) -> None:
    paths = pair(rows_of([1.0] * 4), rows_of([0.5, 1.0, 1.0, 1.0]))
    done = run_module("benchmarks", "compare-speed", *paths, "--fail-under", "0.9", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert [case["batch_size"] for case in told["below"]] == [1] and "Below 0.9" in done.stderr
    assert told["rows"][0]["verdict"] == "slower"
    done = run_module("benchmarks", "compare-speed", *paths, "--fail-under", "0.4")
    assert done.returncode == 0 and not done.stderr
    assert run_module("benchmarks", "compare-speed", *paths, "--fail-under", "0").returncode == 2


def test_fail_under_ends_with_1_where_an_engine_no_longer_answers(run_module, pair) -> None:
    a = [speed_row(), speed_row(engine="openvino-cpu"), speed_row(batch=64)]
    wrong = failed_row("openvino-cpu", "fp32", "only 70 % agree", agreement=70.0)
    done = run_module(
        "benchmarks", "compare-speed", *pair(a, [speed_row(), wrong]), "--fail-under", "0.9"
    )
    assert done.returncode == 1 and "Fails in the second" in done.stderr
    assert "only 70 % agree" in done.stderr
    done = run_module("benchmarks", "compare-speed", *pair(a, a[:1]), "--fail-under", "0.9")
    assert done.returncode == 0, done.stderr  # what was not measured has not failed


def test_fail_under_is_refused_where_nothing_could_fail(run_module, pair) -> None:
    a = [speed_row(), speed_row(batch=8, rates=[100.0])]
    paths = pair(a, [speed_row(), speed_row(batch=8, rates=[10.0])])
    done = run_module("benchmarks", "compare-speed", *paths, "--fail-under", "0.9")
    assert done.returncode == 2 and "can't be judged for 1 of 2 cases" in done.stderr
    assert "batch_size 8" in done.stderr and "--rounds 2 or more" in done.stderr
    assert run_module("benchmarks", "compare-speed", *paths).returncode == 0


def test_what_holm_lets_pass_is_not_surely_slower(pair) -> None:
    """One of forty cases is below by chance; alone it would count."""
    rates = [1000.0, 1010.0, 990.0, 1005.0]
    slower = [rate * factor for rate, factor in zip(rates, (0.985, 0.975, 0.98, 0.96), strict=True)]
    one = compare_speed(*map(read_speed, pair([speed_row(rates=rates)], [speed_row(rates=slower)])))
    assert one.rows[0].is_below(1.0)
    a = [speed_row(batch=batch, rates=rates) for batch in range(1, 41)]
    b = [speed_row(batch=1, rates=slower), *a[1:]]
    among_many = compare_speed(*map(read_speed, pair(a, b))).rows[0]
    assert among_many.p == one.rows[0].p and not among_many.is_below(1.0)


def test_rates_and_their_ratio_are_of_the_same_means(pair) -> None:
    a, b = speed_row(rates=[100.0, 100.0, 900.0]), speed_row(rates=[200.0, 200.0, 50.0])
    row = compare_speed(*map(read_speed, pair([a], [b]))).rows[0]
    assert row.a_images_per_second == pytest.approx(np.exp(np.log(a["rates"]).mean()))
    assert row.ratio == pytest.approx(row.b_images_per_second / row.a_images_per_second)


def test_nothing_in_common_is_an_error(pair) -> None:
    with pytest.raises(ConfigError, match="no measured case in common"):
        compare_speed(*map(read_speed, pair([speed_row()], [speed_row(batch=2)])))


@pytest.mark.parametrize("damage", [
    {"rates": [-1.0, 0.0]}, {"rates": ["fast"]}, {"rates": 3}, {"starts": ["a"]}, {"rounds": None},
    {"images_per_second": "fast"}, {"images_per_second": 0}, {"images_per_second": float("nan")},
    {"threads": [1]}, {"batch_size": -8}, {"p50_ms": "x"}, {"p99_ms": -1.0}, {"model": None},
    {"agreement_percent": "all"},
])  # fmt: skip
def test_rows_that_are_no_rows_are_one_error(pair, damage: dict) -> None:
    """A page reads whatever lies in its folder: nothing but this error may come of it."""
    file, _ = pair([], [])
    file.write_text(json.dumps(speed_file([speed_row() | damage])))
    with pytest.raises(ConfigError, match="holds no results"):
        read_speed(file)


@pytest.mark.parametrize("damage", [
    {"models": [{}]}, {"models": "none"}, {"environment": {"cpu_features": 5}},
    {"environment": {"memory_gb": "much"}}, {"progress": {"finished": True, "done": "x"}},
])  # fmt: skip
def test_a_file_whose_head_is_damaged_is_one_error(pair, damage: dict) -> None:
    with pytest.raises(ConfigError, match="holds no results"):
        read_speed(pair([speed_row()], [speed_row()], **damage)[1])


def test_a_report_is_written(run_module, pair, tmp_path: Path) -> None:
    a, _ = pair([speed_row(), failed_row("openvino-cpu", "fp32", "not installed")], [speed_row()])
    html, csv = tmp_path / "r.html", tmp_path / "r.csv"
    done = run_module("benchmarks", "speed-report", "--file", a, "--html", html, "--csv", csv)
    assert done.returncode == 0, done.stderr
    assert "no figure: not installed" in done.stdout and "Plotly.newPlot" in html.read_text()
    header, first, second = csv.read_text().splitlines()
    assert header.startswith("model,engine,precision") and ",1000.0,990.0,1010.0," in first
    assert second == "resnet20_v1,openvino-cpu,fp32,all,1,False,not installed" + "," * (
        len(COLUMNS) - 7
    )
    missing = run_module("benchmarks", "speed-report", "--file", tmp_path / "none.json")
    assert missing.returncode == 2 and "There is no file" in missing.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without asking it")
def test_a_stop_keeps_what_was_measured(tmp_path: Path, data_folder: Path) -> None:
    out = tmp_path / "speed.json"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "benchmarks", "throughput", "--engines", "onnxruntime-cpu:fp32",
            "--batch-sizes", "1", "--seconds", "0.05", "--rounds", "10000", "--gate-images", "50",
            "--data-folder", data_folder, "--json", out,
        ],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    wait_until(lambda: out.is_file() and read_speed(out).progress["done"] > 0)
    process.send_signal(signal.SIGTERM)
    printed, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "Interrupted." in said and "images/s" in printed
    found = read_speed(out)
    assert not found.is_finished and 0 < found.share_done < 1
    (row,) = found.measured
    assert len(row["rates"]) == len(row["starts"]) == found.progress["done"]
    assert row["images_per_second"] == pytest.approx(np.median(row["rates"]), rel=1e-4)
