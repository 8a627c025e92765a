"""The speeds that are told are those of the files that ship."""

from __future__ import annotations

import pytest

from benchmarks.load.stored import highest_loads, offered, read_load
from benchmarks.throughput.stored import CASE, SHIPPED_FOLDER, WITHOUT_COPIES, fastest, read_speed
from resnet_core.files import read_json
from tests.docs import README, read_page

PAGE = read_page("speed")
AMX = "xeon-amx-2-of-16-cores"
VECTORS = "epyc-avx512-2-cores"


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
    stored = read_speed(SHIPPED_FOLDER / f"{name}.json")
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
        ) in PAGE


def test_what_is_said_of_the_first_shipped_speed_is_in_its_files() -> None:
    stored = read_speed(SHIPPED_FOLDER / "epyc-avx2-2-cores.json")
    disturbed = sum(row["disturbed_rounds"] for row in stored.measured)
    assert f"all of its {stored.progress['total']} measurements" in PAGE
    assert f"{disturbed} of the rounds are marked as disturbed" in PAGE
    roofline = read_json(SHIPPED_FOLDER / "roofline-epyc-avx2-2-cores.json")
    shares = [
        row["percent_of_bound"]
        for row in roofline["rows"]
        if (row["threads"], row["batch_size"]) == ("all", 32)
        and row["images_per_second"] and not row["engine"].startswith("pytorch")
    ]  # fmt: skip
    told = f"{min(shares):.0f} to {max(shares):.0f} % of its peak in batches of 32"
    assert len(shares) == 4 and told in PAGE


def test_what_bf16_gains_on_the_second_machine_is_told() -> None:
    stored = read_speed(SHIPPED_FOLDER / "epyc-avx512-2-cores.json")
    roofline = read_json(SHIPPED_FOLDER / "roofline-epyc-avx512-2-cores.json")
    disturbed, rounds = (
        sum(row[key] for row in stored.measured) for key in ("disturbed_rounds", "rounds")
    )
    assert f"{disturbed} of the {rounds} rounds disturbed" in PAGE
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
    assert f"answers batches {batches[0]:.1f} and {batches[1]:.1f} times as fast there" in PAGE
    assert [_told_by_readme(net, 2) for net in ("resnet20_v1", "resnet56_v1")] == [
        f"{times:.1f} times" for times in batches
    ]
    assert f"single pictures {singles[0]:.1f} and {singles[1]:.1f} times" in PAGE
    assert f"that is {shares[0]:.0f} and {shares[1]:.0f} % of what this chip can do" in PAGE


def test_the_shipped_load_is_told_as_it_was_measured() -> None:
    stored = read_load(SHIPPED_FOLDER / "load-epyc-avx512-2-cores.json")
    highest = {row["engine"]: round(offered(row)) for row in highest_loads(stored["rows"])}
    assert {str(row["threads"]) for row in stored["rows"]} == {"1"}
    openvino, usual = highest["openvino-cpu"], highest["onnxruntime-cpu"]
    assert f"up to {openvino} questions a second on OpenVINO in bf16, at up to {usual} on" in PAGE


def test_the_speed_of_a_gpu_stands_in_its_table() -> None:
    stored = read_speed(SHIPPED_FOLDER / "h200.json")
    done, total = stored.progress["done"], stored.progress["total"]
    assert f"before its last {total - done} of {total} measurements" in PAGE
    disturbed, rounds = (
        sum(row[key] for row in stored.measured) for key in ("disturbed_rounds", "rounds")
    )
    assert f"{disturbed} of the {rounds} rounds that count" in PAGE
    assert "pytorch-compiled" not in {row["engine"] for row in stored.measured}
    roofline = read_json(SHIPPED_FOLDER / "roofline-h200.json")["rows"]
    assert {row["bound_by"] for row in roofline if row["device"] == "cuda"} == {"memory"}
    rows = {tuple(row[key] for key in CASE): row for row in stored.measured}
    shares = {tuple(row[key] for key in CASE): row["percent_of_bound"] for row in roofline}
    largest = [case for case in rows if case[-1] == 512]
    assert len(largest) == 18 and all(rows[case]["rounds"] == 1 for case in largest)
    gains = []
    for case in largest:
        model, engine, precision, threads, _ = case
        row, one = rows[case], rows[model, engine, precision, threads, 1]
        assert (
            f"| {engine}:{precision} | `{model}` | {one['p50_ms']:.2f} ms "
            f"| {row['images_per_second']:,.0f} | {row[WITHOUT_COPIES]:,.0f} "
            f"| {shares[case]:.1f} % | {row['agreement_percent']:.2f} % |"
        ) in PAGE
        if engine.endswith("-graphs"):
            gains.append(rows[model, "pytorch-eager", "fp32", threads, 1]["p50_ms"] / one["p50_ms"])
    assert f"{min(gains):.0f} to {max(gains):.0f} times as fast as eager PyTorch" in PAGE
    assert f"use {max(shares[case] for case in largest):.0f} % of it at the most" in PAGE


def test_what_amx_gains_over_onnx_runtime_is_told() -> None:
    stored = read_speed(SHIPPED_FOLDER / f"{AMX}.json")
    assert "amx_bf16" in stored.environment["cpu_features"]
    assert f"({stored.progress['done']} of {stored.progress['total']} measurements)" in PAGE
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
    assert f"answers {batches[0]} and {batches[1]} times as many pictures a second" in PAGE
    assert [_told_by_readme(net, 3) for net in nets] == [f"{times} times" for times in batches]
    assert f"({best[nets[0]]} for `resnet20_v1`, {best[nets[1]]} for `resnet56_v1`)" in PAGE
    assert f"single ones {singles[0]} and {singles[1]} times" in PAGE
    assert f"test errors are {errors[0]:.2f} and {errors[1]:.2f} %" in PAGE


def _told_by_readme(net: str, column: int) -> str:
    (row,) = [
        line for line in README.splitlines() if line.startswith(f"| answering batches, `{net}`")
    ]
    return row.strip("|").split(" | ")[column].strip()
