"""The folder's benchmark: both sides do the same work, and memory is read as the system tells it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.folder import compare
from benchmarks.folder.commands import as_text
from benchmarks.folder.memory import MemoryCurve, resident_mb
from benchmarks.folder.pictures import KINDS, draw_grain, draw_large, write_pictures
from resnet_core.data.shapes import draw_shapes
from resnet_core.errors import ConfigError, LabError
from resnet_core.pictures import to_input


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures a tenth as wide: as many kinds, drawn at once."""
    tenths = {
        kind: tuple((width // 10, height // 10) for width, height in sizes)
        for kind, sizes in KINDS.items()
    }
    monkeypatch.setattr("benchmarks.folder.pictures.KINDS", tenths)
    monkeypatch.setattr("benchmarks.folder.pictures.DRAWN", 20)


@pytest.mark.parametrize("kind", KINDS)
def test_the_folder_holds_as_many_files_as_asked_in_every_size(
    small, tmp_path: Path, kind: str
) -> None:
    assert write_pictures(tmp_path, 47, kind) == 47
    paths = sorted(tmp_path.iterdir())
    sizes = [Image.open(path).size for path in paths]
    drawn = [sizes[number % 20] for number in range(47)]
    assert sizes == drawn
    assert sizes[: len(KINDS[kind])] == [(w // 10, h // 10) for w, h in KINDS[kind]]
    assert len({path.read_bytes() for path in paths}) == 47
    assert len({Image.open(path).tobytes() for path in paths}) == 20


def test_a_folder_too_large_for_a_disk_goes_on_with_links(
    small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.folder.pictures.MOST_BYTES", 500_000)
    own = write_pictures(tmp_path, 300)
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 300 and 20 < own < 300
    assert len({path.read_bytes() for path in paths[:own]}) == own
    assert all(path.stat().st_nlink > 1 for path in paths[own:])
    assert [Image.open(path).size for path in paths] == [
        Image.open(paths[number % 20]).size for number in range(300)
    ]


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (256, 256), (600, 520)])
def test_a_large_picture_is_the_small_one_to_a_net(size: tuple[int, int]) -> None:
    pixels, _ = draw_shapes(1, np.random.default_rng(1))
    grain = draw_grain(np.random.default_rng(2))
    assert np.asarray(grain).std() == pytest.approx(6, abs=0.1)
    large = draw_large(pixels[0], size, grain)
    assert large.size == size
    seen = to_input(large, 32).astype(int)
    assert np.corrcoef(seen.ravel(), pixels[0].ravel())[0, 1] > 0.9


def test_memory_is_what_the_system_says() -> None:
    """Of a fresh process: one that has freed much takes nothing new for a while."""
    resource = pytest.importorskip("resource", reason="Windows counts in another way")
    program = "input(); ballast = b'x' * 60_000_000; print('held', flush=True); input()"
    words = [sys.executable, "-c", program]
    child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None and child.stdout is not None
    child.stdin.write(b"\n")
    child.stdin.flush()
    assert child.stdout.readline() == b"held\n"
    held = resident_mb(child.pid)
    child.communicate(b"\n")
    assert held is not None and 60 < held < 100
    assert resident_mb(child.pid) is None and resident_mb(2**22 + 1) is None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    own = resident_mb(os.getpid())
    assert own is not None and 10 < own <= most * 1.01


@pytest.mark.parametrize("growth", [0.0, 2.5, -1.0])
def test_the_slope_is_of_the_second_half_and_for_a_thousand(growth: float) -> None:
    done = list(range(64, 6401, 64))
    held = [300 + 50 * min(n, 3000) / 3000 + growth * max(0, n - 3000) / 1000 for n in done]
    curve = MemoryCurve(done, held)
    found = curve.growth_mb
    assert found is not None
    assert (found.slope, found.half_width) == pytest.approx((growth, 0), abs=1e-6)
    assert curve.to_dict()["peak_mb"] == max(held)
    assert MemoryCurve([64, 128], [1.0, 2.0]).growth_mb is None


def test_both_sides_classify_the_same_folder(small) -> None:
    rivals = compare.Rivals("resnet20_v1", "onnxruntime-cpu", "mix", 24, 2)
    result = compare.compare_folder(rivals)
    assert json.loads(json.dumps(result))["ratio"] == result["ratio"]
    assert [len(result["rounds"][side]) for side in ("ours", "theirs")] == [2, 2]
    assert result["same_class_percent"] >= 90 and result["engine"].startswith("ONNX Runtime")
    said = as_text(result)
    assert "a plain loop" in said and "mix, 24 pictures" in said and "over 2 rounds" in said


def test_memory_over_one_run(small) -> None:
    result = compare.measure_memory("resnet20_v1", "onnxruntime-cpu", "1mp", 130)
    assert result["peak_mb"] > 20 and result["samples"][-1][0] == 130
    assert "1mp, 130 pictures" in as_text(result) and "too few" in as_text(result)
    known = {**result, "slope_mb_per_1000_pictures": -0.2, "slope_half_width_mb": 0.3}
    assert "-0.20 ± 0.30 MB for each 1,000 more" in as_text(known)


def test_what_fails_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        compare.compare_folder(compare.Rivals("resnet20_v1", pictures=0))
    with pytest.raises(ConfigError, match="at least 1"):
        compare.measure_memory("resnet20_v1", "", "mix", 0)
    with pytest.raises(LabError, match=r"plain loop failed: .*[Nn]o such file|doesn't exist"):
        compare._plain(tmp_path / "absent.onnx", tmp_path)
    with pytest.raises(LabError, match="Classifying the folder failed: Error: There is no file"):
        compare._kit("resnet20_v1", "onnxruntime-cpu", tmp_path, tmp_path / "a.csv")
