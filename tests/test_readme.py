"""The README's figures are the cards' figures, and its files exist."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.depth.report import cells_in_words
from benchmarks.depth.results import find_cell, read_results
from benchmarks.depth.spreads import compare_nets
from benchmarks.depth.study import SHIPPED_FOLDER, read_study
from benchmarks.depth.verdicts import Outcome, judge
from benchmarks.load.stored import highest_loads, offered, read_load
from benchmarks.throughput.stored import CASE, WITHOUT_COPIES, fastest, read_speed
from benchmarks.throughput.stored import SHIPPED_FOLDER as SPEED_FOLDER
from benchmarks.work.report import time_finding
from benchmarks.work.stored import read_work
from export.confidence import read_confidence
from resnet_core.files import read_json
from resnet_core.zoo import zoo_entries

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
AMX = "xeon-amx-2-of-16-cores"
VECTORS = "epyc-avx512-2-cores"


@pytest.mark.parametrize("entry", zoo_entries(), ids=lambda entry: entry.name)
def test_every_shipped_model_stands_in_the_table_with_its_figures(entry) -> None:
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{entry.name}` ")]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    card = entry.card
    assert cells[1:4] == [
        f"{card['params'] / 1e6:.2f} M", str(card["epochs"]), f"{card['test_error_percent']:.2f} %",
    ]  # fmt: skip


@pytest.mark.parametrize("entry", zoo_entries(), ids=lambda entry: entry.name)
def test_how_strange_pictures_are_told_stands_in_its_table(entry) -> None:
    found = read_confidence(entry.onnx_file).familiarity
    assert found is not None
    told = " | ".join(
        f"{each.auroc_percent:.1f} %, {each.flagged_percent:.1f} %" for each in found.strangers
    )
    assert f"| {entry.name} | {found.test_flagged_percent:.1f} % | {told} |" in README


@pytest.mark.parametrize("name", ["cifar10-taste-3", "cifar10-fast-30"])
def test_a_shipped_study_stands_in_its_table(name: str) -> None:
    cells = read_results(read_study(SHIPPED_FOLDER / name))
    assert cells
    for cell in cells:
        family, depth, seeds, train, test, *_ = cells_in_words(cell)
        assert f"| {family} {depth} | {seeds} | {train} | {test} |" in README


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (("plain", 110), ("plain", 20), "(110 layers by {} points of test error, {} to {})"),
        (("resnet_v1", 20), ("resnet_v1", 110), "(by {} points, {} to {})"),
        (("plain", 110), ("resnet_v1", 110), "skips are worth {} points ({} to {})"),
    ],
)
def test_what_depth_does_is_told_with_its_interval(first, second, words: str) -> None:
    cells = read_results(read_study(SHIPPED_FOLDER / "cifar10-fast-30"))
    nets = [find_cell(cells, *net) for net in (first, second)]
    assert nets[0] and nets[1]
    found = compare_nets(cells, "test", nets[0], nets[1])
    assert found is not None and found.is_above
    told = (f"{figure:.2f}" for figure in (found.value, found.low, found.high))
    assert words.format(*told) in README


def test_which_papers_figures_are_reproduced_is_told() -> None:
    study = read_study(SHIPPED_FOLDER / "cifar10-fast-30")
    found = judge(read_results(study), study.recipe.epochs)
    places = {
        outcome: [v for v in found if "reproduces" in v.claim and v.outcome is outcome]
        for outcome in Outcome
    }
    depths = {
        outcome: [verdict.claim.split()[2] for verdict in verdicts]
        for outcome, verdicts in places.items()
    }
    assert depths[Outcome.SHOWN] == ["20"] and "ResNet-20 reproduces the paper's figure" in README
    for outcome, words in (
        (Outcome.TOO_FEW, "of {} and {} layers, {} and {} points above the paper's, too few runs"),
        (Outcome.TOO_CLOSE, "of {} and {}, {} and {} points above, it is too close to tell"),
    ):
        gaps = [re.findall(r"\+(\d.\d\d) points", v.figures)[0] for v in places[outcome]]
        assert words.format(*depths[outcome], *gaps) in README


@pytest.mark.parametrize(
    ("name", "left_out", "threads", "setups_told"),
    [
        ("epyc-avx2-2-cores", "", "all", 8),
        ("epyc-avx512-2-cores", "pytorch", "all", 6),
        (AMX, "", 2, 10),
    ],
)
def test_the_shipped_speed_stands_in_its_table(
    name: str, left_out: str, threads: str | int, setups_told: int
) -> None:
    stored = read_speed(SPEED_FOLDER / f"{name}.json")
    assert stored.is_finished == (name != AMX)
    measured = [row for row in stored.measured if row["threads"] == threads]
    setups = dict.fromkeys((row["model"], row["engine"], row["precision"]) for row in measured)
    told = [each for each in setups if not (left_out and each[1].startswith(left_out))]
    assert len(told) == setups_told
    for setup in told:
        rows = [row for row in measured if setup == (row["model"], row["engine"], row["precision"])]
        best, one = fastest(rows), next(row for row in rows if row["batch_size"] == 1)
        rate, low, high = (best[f"images_per_second{end}"] for end in ("", "_low", "_high"))
        assert (
            f"| {setup[1]}:{setup[2]} | `{setup[0]}` | {one['p50_ms']:.2f} ms "
            f"| {rate:,.0f} images/s ({low:,.0f} to {high:,.0f}), batch {best['batch_size']} "
            f"| {best['agreement_percent']:.2f} % |"
        ) in README


def test_what_is_said_of_the_first_shipped_speed_is_in_its_files() -> None:
    stored = read_speed(SPEED_FOLDER / "epyc-avx2-2-cores.json")
    disturbed = sum(row["disturbed_rounds"] for row in stored.measured)
    assert f"all of its {stored.progress['total']} measurements" in README
    assert f"{disturbed} of the rounds are marked as disturbed" in README
    roofline = read_json(SPEED_FOLDER / "roofline-epyc-avx2-2-cores.json")
    shares = [
        row["percent_of_bound"]
        for row in roofline["rows"]
        if (row["threads"], row["batch_size"]) == ("all", 32)
        and row["images_per_second"] and not row["engine"].startswith("pytorch")
    ]  # fmt: skip
    told = f"{min(shares):.0f} to {max(shares):.0f} % of its peak in batches of 32"
    assert len(shares) == 4 and told in README


def test_what_bf16_gains_on_the_second_machine_is_told() -> None:
    stored = read_speed(SPEED_FOLDER / "epyc-avx512-2-cores.json")
    roofline = read_json(SPEED_FOLDER / "roofline-epyc-avx512-2-cores.json")
    disturbed, rounds = (
        sum(row[key] for row in stored.measured) for key in ("disturbed_rounds", "rounds")
    )
    assert f"{disturbed} of the {rounds} rounds disturbed" in README
    batches, singles, shares = [], [], []
    for net in ("resnet20_v1", "resnet56_v1"):
        usual, bf16 = (
            [
                row
                for row in stored.measured
                if (row["model"], row["engine"], row["precision"]) == (net, *who)
            ]
            for who in (("onnxruntime-cpu", "fp32"), ("openvino-cpu", "bf16"))
        )
        best = fastest(bf16)
        batches.append(best["images_per_second"] / fastest(usual)["images_per_second"])
        one, other = (next(r["p50_ms"] for r in of if r["batch_size"] == 1) for of in (usual, bf16))
        singles.append(one / other)
        shares += [
            row["percent_of_bound"] for row in roofline["rows"]
            if all(row[key] == best[key] for key in CASE)
        ]  # fmt: skip
    assert f"answers batches {batches[0]:.1f} and {batches[1]:.1f} times as fast there" in README
    assert f"single pictures {singles[0]:.1f} and {singles[1]:.1f} times" in README
    assert f"that is {shares[0]:.0f} and {shares[1]:.0f} % of what this chip can do" in README


def test_the_shipped_load_is_told_as_it_was_measured() -> None:
    stored = read_load(SPEED_FOLDER / "load-epyc-avx512-2-cores.json")
    highest = {row["engine"]: round(offered(row)) for row in highest_loads(stored["rows"])}
    assert {str(row["threads"]) for row in stored["rows"]} == {"1"}
    openvino, usual = highest["openvino-cpu"], highest["onnxruntime-cpu"]
    assert f"up to {openvino} questions a second on OpenVINO in bf16, at up to {usual} on" in README


def test_the_speed_of_a_gpu_stands_in_its_table() -> None:
    stored = read_speed(SPEED_FOLDER / "h200.json")
    done, total = stored.progress["done"], stored.progress["total"]
    assert f"before its last {total - done} of {total} measurements" in README
    roofline = read_json(SPEED_FOLDER / "roofline-h200.json")["rows"]
    assert {row["bound_by"] for row in roofline if row["device"] == "cuda"} == {"memory"}
    rows = {tuple(row[key] for key in CASE): row for row in stored.measured}
    shares = {tuple(row[key] for key in CASE): row["percent_of_bound"] for row in roofline}
    largest = [case for case in rows if case[-1] == 512]
    assert len(largest) == 22 and all(rows[case]["rounds"] == 1 for case in largest)
    gains = []
    for case in largest:
        model, engine, precision, threads, _ = case
        row, one = rows[case], rows[model, engine, precision, threads, 1]
        assert (
            f"| {engine}:{precision} | `{model}` | {one['p50_ms']:.2f} ms "
            f"| {row['images_per_second']:,.0f} | {row[WITHOUT_COPIES]:,.0f} "
            f"| {shares[case]:.1f} % | {row['agreement_percent']:.2f} % |"
        ) in README
        if engine.endswith("-graphs"):
            gains.append(rows[model, "pytorch-eager", "fp32", threads, 1]["p50_ms"] / one["p50_ms"])
    assert f"{min(gains):.0f} to {max(gains):.0f} times as fast as eager PyTorch" in README
    assert f"use {max(shares[case] for case in largest):.0f} % of it at the most" in README


def test_what_amx_gains_over_onnx_runtime_is_told() -> None:
    stored = read_speed(SPEED_FOLDER / f"{AMX}.json")
    assert "amx_bf16" in stored.environment["cpu_features"]
    assert f"({stored.progress['done']} of {stored.progress['total']} measurements)" in README
    rates: dict[tuple[str, str], dict[int, float]] = {}
    errors = []
    for row in stored.measured:
        if row["threads"] == 2:
            key = row["model"], f"{row['engine']}:{row['precision']}"
            rates.setdefault(key, {})[row["batch_size"]] = row["images_per_second"]
            if key[1] == "openvino-cpu:bf16" and row["batch_size"] == 1:
                errors.append(row["test_error_percent"])
    nets = "resnet20_v1", "resnet56_v1"
    usual = {net: rates[net, "onnxruntime-cpu:fp32"] for net in nets}
    amx = {net: rates[net, "openvino-cpu:bf16"] for net in nets}
    best = {net: max(usual[net], key=usual[net].__getitem__) for net in nets}
    batches, singles = (
        [f"{amx[net][size] / usual[net][size]:.1f}" for net, size in sizes.items()]
        for sizes in (best, dict.fromkeys(nets, 1))
    )
    assert f"answers {batches[0]} and {batches[1]} times as many pictures a second" in README
    assert f"({best[nets[0]]} for `resnet20_v1`, {best[nets[1]]} for `resnet56_v1`)" in README
    assert f"single ones {singles[0]} and {singles[1]} times" in README
    assert f"test errors are {errors[0]:.2f} and {errors[1]:.2f} %" in README


@pytest.mark.parametrize(("machine", "feature"), [(AMX, "amx_bf16"), (VECTORS, "avx512_bf16")])
def test_the_stored_training_speed_stands_in_its_table(machine: str, feature: str) -> None:
    found = read_json(SHIPPED_FOLDER / "training" / f"{machine}.json")
    assert found["environment"]["threads"] == 2 and feature in found["environment"]["cpu_features"]
    ratio = f"{found['ratio']:.1f} ({found['ratio_lowest']:.1f} to {found['ratio_highest']:.1f})"
    theirs, ours = found["theirs_images_per_second"], found["ours_images_per_second"]
    assert f"| {theirs:.0f} images/s | {ours:.0f} images/s | {ratio} |" in README


def test_the_shipped_times_of_photo_nets_are_told() -> None:
    found = read_work()
    ratio = time_finding(found.nets, found.times).split("takes ResNet 152 ")[1]
    times = {net.name: f"{net.median_ms:.0f}" for net in found.times}
    assert f"ResNet-152 takes {ratio.removesuffix(')')}; " in README
    assert f"; {times['resnet152']} against {times['vgg19']} ms)" in README
    assert f"--rounds {len(found.times[0].rounds_ms)}`" in README


def test_the_shipped_transfer_stands_in_its_table() -> None:
    shipped = read_json(ROOT / "studies" / "transfer" / "cifar10-50-a-class.json")
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
        ) in README
    assert f"{shipped['start_test_error_percent']:.2f} % test error" in README


def test_linked_files_exist() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", README)
    files = [link for link in links if not link.startswith("#")]
    assert files and all((ROOT / link).exists() for link in files)


def test_linked_chapters_exist() -> None:
    links = re.findall(r"\]\(#([^)]+)\)", README)
    titles = re.findall(r"^#+ (.+)$", README, re.MULTILINE)
    assert links and set(links) <= {
        re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles
    }


def test_no_placeholder_is_left() -> None:
    assert "<!--" not in README
