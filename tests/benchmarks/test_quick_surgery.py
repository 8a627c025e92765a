"""Surgery by hand: what is kept between two questions is of the weights that are there now."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.why import interactive
from benchmarks.why.interactive import quick_surgery
from benchmarks.why.measure import Places
from resnet_core.analysis.surgery import Operation
from resnet_core.errors import ModelError
from resnet_core.locate import locate_model
from tests.benchmarks.test_why import write_trained

ONE_OFF = Operation((2,))


def test_a_net_that_was_trained_on_is_read_anew(
    tmp_path: Path, shapes, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    monkeypatch.setattr(interactive, "load_dataset", lambda *_: read.append("data") or shapes)
    first, second = Places(tmp_path, tmp_path / "first"), Places(tmp_path, tmp_path / "second")
    write_trained(tmp_path / "run", "resnet8_v1", shapes, seed=0)
    before = quick_surgery("run", ONE_OFF, first)
    assert quick_surgery("run", ONE_OFF, first) == before and len(read) == 1
    write_trained(tmp_path / "run", "resnet8_v1", shapes, seed=3)
    after = quick_surgery("run", ONE_OFF, first)
    assert len(read) == 2 and after != before
    assert after == quick_surgery("run", ONE_OFF, second)  # where nothing was kept


def test_weights_that_vanish_are_said_in_a_sentence(
    tmp_path: Path, shapes, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_trained(tmp_path / "run", "resnet8_v1", shapes)
    located = locate_model("run", tmp_path)
    located.weights_file.unlink()
    monkeypatch.setattr(interactive, "locate_model", lambda *_: located)
    with pytest.raises(ModelError, match=r"last\.safetensors can't be read .*choose another net"):
        quick_surgery("run", ONE_OFF, Places(tmp_path, tmp_path))
