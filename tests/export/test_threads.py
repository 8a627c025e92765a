"""`OMP_NUM_THREADS` limits every engine on the CPU, as it limits PyTorch; nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.engines import profile_onnxruntime
from export.engines.catalogue import ENGINES
from export.session import OnnxSession
from resnet_core.zoo import find_in_zoo

FILE = find_in_zoo("plain20").onnx_file


@pytest.mark.parametrize(("said", "threads"), [("3", 3), ("2,1", 2), ("", 0), ("many", 0)])
def test_onnxruntime_is_limited_watched_or_not(
    said: str, threads: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    session = OnnxSession(FILE, "cpu")
    watched = profile_onnxruntime._open(FILE, 0, tmp_path)
    for opened in (session._session, watched):
        assert opened.get_session_options().intra_op_num_threads == threads
    asked = OnnxSession(FILE, "cpu", threads=2)
    asked_watched = profile_onnxruntime._open(FILE, 2, tmp_path)
    for opened in (asked._session, asked_watched):
        assert opened.get_session_options().intra_op_num_threads == 2


@pytest.mark.parametrize(("said", "asked", "threads"), [("1", 0, 1), ("1,4", 0, 1), ("4", 1, 1)])
def test_openvino_is_limited(
    said: str, asked: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert openvino_threads(asked) == threads


def test_openvino_chooses_itself_where_nothing_limits_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import openvino

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    core = openvino.Core()
    model = core.read_model(FILE)
    model.reshape([1, 32, 32, 3])
    usual = core.compile_model(model, "CPU").get_property("INFERENCE_NUM_THREADS")
    assert openvino_threads(0) == usual


def openvino_threads(asked: int) -> int:
    """How many the compiled model itself says it takes."""
    opened = ENGINES["openvino-cpu"].open(FILE, "fp32", asked)
    return opened.compiled_for((1, 32, 32, 3)).get_property("INFERENCE_NUM_THREADS")
