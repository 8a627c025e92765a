"""Which result of speed a page opens with, and what it says where its nets were trained anew since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.throughput.machine import unlikeness
from benchmarks.throughput.stored import SHIPPED_FOLDER, read_speed
from resnet_core.files import read_json, write_json
from resnet_core.zoo import find_in_zoo
from tests.written_speed import speed_row, write_speed
from ui.speed import bounds as speed_bounds
from ui.speed import jobs as speed_jobs
from ui.speed.view import render_marks

AVX2 = {"cpu_features": ["avx2"]}
AVX512 = {"cpu_features": ["avx2", "avx512_f", "avx512_vnni", "avx512_bf16"]}
AMX = {"cpu_features": [*AVX512["cpu_features"], "amx_bf16", "amx_int8"]}
GPU = AMX | {"gpu": "NVIDIA H200"}


@pytest.mark.parametrize(
    ("here", "nearest"),
    [
        (AVX2, [AVX2, AVX512, AMX, GPU]),
        (AVX512, [AVX512, AMX, AVX2, GPU]),
        (AMX, [AMX, AVX512, AVX2, GPU]),
        (AVX2 | {"gpu": "another"}, [GPU, AVX2, AVX512, AMX]),
    ],
)
def test_machines_are_sorted_by_gpu_then_by_features(here: Any, nearest: list[Any]) -> None:
    assert sorted([GPU, AMX, AVX512, AVX2], key=lambda there: unlikeness(there, here)) == nearest


@pytest.mark.parametrize(
    ("flags", "driver", "opened"),
    [
        ("fpu avx2", None, "epyc-avx2-2-cores.json"),
        ("avx2 avx512f avx512_vnni avx512_bf16", None, "epyc-avx512-2-cores.json"),
        ("avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_int8", None, "xeon-amx-2-of-16-cores.json"),
        ("avx2", "580.1", "h200.json"),
    ],
)  # fmt: skip
def test_the_likest_machine_is_shown_first(
    flags: str, driver: str | None, opened: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESNET_LAB_RUNS", str(tmp_path))
    monkeypatch.setattr(speed_jobs, "cpu_flags", flags.split)
    monkeypatch.setattr(speed_jobs, "nvidia_driver", lambda: driver)
    speed_jobs._here.cache_clear()
    try:
        assert speed_jobs.first_choice(speed_jobs.list_files()) == SHIPPED_FOLDER / opened
    finally:
        speed_jobs._here.cache_clear()
    (tmp_path / "speed").mkdir()
    own = write_speed(tmp_path / "speed" / "own.json", [speed_row()])
    assert speed_jobs.first_choice(speed_jobs.list_files()) == own


def test_nets_that_were_trained_anew_since_are_named(tmp_path: Path) -> None:
    path = write_speed(tmp_path / "speed.json", [speed_row()])
    now = find_in_zoo("resnet20_v1").card["test_error_percent"]
    nets = [
        {"name": "resnet20_v1", "family": "resnet_v1", "depth": 20, "test_error_percent": error}
        for error in (now, now + 1)
    ]
    said = []
    for net in nets:
        write_json(path, read_json(path) | {"models": [net]})
        said.append("earlier weights" in render_marks(read_speed(path)))
    assert said == [False, True]


@pytest.mark.parametrize("damage", [
    {}, {"rows": 5}, {"rows": [{}]}, {"rows": [], "machine": {"bandwidths": [{}]}},
    {"rows": [], "environment": {"cpu_features": 5}},
])  # fmt: skip
def test_a_damaged_file_of_bounds_is_passed_over(
    damage: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed_jobs, "folder", lambda: tmp_path)
    shipped = speed_bounds._look(None)
    assert all(part is not None for part in shipped)
    for kind in speed_bounds.KINDS.values():
        write_json(tmp_path / kind.file, {"format": kind.format, "environment": {}} | damage)
    told = speed_bounds._look(None)
    # A load without rows is none yet, and may be shown as that.
    assert told[-2:] == shipped[-2:] and all(part is not None for part in told)
