"""The folder's benchmark: both sides do the same work, and memory is read as the system tells it."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.folder import compare
from benchmarks.folder.commands import as_text
from benchmarks.folder.memory import MemoryCurve, resident_mb
from benchmarks.folder.pictures import SIZES, draw_large, write_pictures
from resnet_core.data.shapes import draw_shapes
from resnet_core.errors import ConfigError, LabError
from resnet_core.pictures import to_input


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures a tenth as wide: as many kinds, drawn at once."""
    sizes = tuple((width // 10, height // 10) for width, height in SIZES)
    monkeypatch.setattr("benchmarks.folder.pictures.SIZES", sizes)
    monkeypatch.setattr("benchmarks.folder.pictures.DISTINCT", 12)


def test_the_folder_holds_as_many_jpegs_as_asked_in_every_size(small, tmp_path: Path) -> None:
    write_pictures(tmp_path, 30)
    paths = sorted(tmp_path.iterdir())
    assert len(paths) == 30
    sizes = [Image.open(path).size for path in paths]
    assert sizes[:6] == [(width // 10, height // 10) for width, height in SIZES]
    assert sizes == (sizes[:6] * 5)
    assert len({path.read_bytes() for path in paths}) == 12


@pytest.mark.parametrize("size", [(400, 300), (300, 400), (256, 256)])
def test_a_large_picture_is_the_small_one_to_a_net(size: tuple[int, int]) -> None:
    pixels, _ = draw_shapes(1, np.random.default_rng(1))
    grain = np.random.default_rng(2).normal(0, 6, (512, 512, 1)).astype(np.int16)
    large = draw_large(pixels[0], size, grain)
    assert large.size == size
    seen = to_input(large, 32).astype(int)
    assert np.corrcoef(seen.ravel(), pixels[0].ravel())[0, 1] > 0.9


def test_memory_is_what_the_system_says() -> None:
    held = resident_mb(os.getpid())
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    assert held is not None and 10 < held <= most * 1.01
    ballast = np.ones(60_000_000, np.uint8)
    more = resident_mb(os.getpid())
    assert more is not None and 50 < more - held < 90 and ballast.any()
    assert resident_mb(2**22 + 1) is None


@pytest.mark.parametrize("growth", [0.0, 2.5, -1.0])
def test_the_slope_is_of_the_second_half_and_for_a_thousand(growth: float) -> None:
    done = list(range(64, 6401, 64))
    held = [300 + 50 * min(n, 3000) / 3000 + growth * max(0, n - 3000) / 1000 for n in done]
    curve = MemoryCurve(done, held)
    assert curve.slope_mb == pytest.approx(growth, abs=1e-6)
    assert curve.to_dict()["peak_mb"] == max(held)
    assert MemoryCurve([64, 128], [1.0, 2.0]).slope_mb is None


def test_both_sides_classify_the_same_folder(small) -> None:
    result = compare.compare_folder("resnet20_v1", "onnxruntime-cpu", 24, 2)
    assert json.loads(json.dumps(result))["ratio"] == result["ratio"]
    assert [len(result["rounds"][side]) for side in ("ours", "theirs")] == [2, 2]
    assert result["same_class_percent"] >= 90 and result["engine"].startswith("ONNX Runtime")
    for memory in result["memory"]:
        assert memory["peak_mb"] > 20 and memory["samples"][-1][0] == 24
    said = as_text(result)
    assert "a plain loop" in said and "of 24 pictures" in said and "too few" in said


def test_what_fails_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        compare.compare_folder("resnet20_v1", "", 0, 1)
    with pytest.raises(LabError, match=r"plain loop failed: .*[Nn]o such file|doesn't exist"):
        compare._plain(tmp_path / "absent.onnx", tmp_path)
    with pytest.raises(LabError, match="Classifying the folder failed: Error: There is no file"):
        compare._kit("resnet20_v1", "onnxruntime-cpu", tmp_path, tmp_path / "a.csv")
