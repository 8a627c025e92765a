"""ONNX Runtime's GPU engines: IO binding on the CPU's memory, options; on a GPU they are in test_engines."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

from export.engines.interface import HoldsImages
from export.engines.on_onnxruntime_gpu import LARGEST_BATCH, OnGpu, cuda_options, tensorrt_options
from export.session import OnnxSession
from resnet_core.errors import ModelError
from tests.export.tiny_onnx import write_tiny_onnx

SIZE = 6


@pytest.fixture(scope="module")
def session(tmp_path_factory) -> OnnxSession:
    file = tmp_path_factory.mktemp("bound") / "net.onnx"
    return OnnxSession(write_tiny_onnx(file, ["a", "b", "c"], size=SIZE), "cpu")


def pixels(images: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (images, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize("pads", [False, True])
def test_bound_memory_gives_the_sessions_answers(session: OnnxSession, pads: bool) -> None:
    model = OnGpu(session, pads=pads, device="cpu")
    for images in (5, 1, 5, 8, LARGEST_BATCH + 3):
        seen = pixels(images, seed=images)
        found = model.run(seen)
        assert found.dtype == np.float32 and found.shape == (images, 3)
        np.testing.assert_array_equal(found, session.run(seen)[1])


@pytest.mark.parametrize("pads", [False, True])
def test_an_answer_stays_what_it_was(session: OnnxSession, pads: bool) -> None:
    model = OnGpu(session, pads=pads, device="cpu")
    first = model.run(pixels(3))
    kept = first.copy()
    model.run(255 - pixels(3))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("pads", [False, True])
def test_callers_at_the_same_time_get_their_own_answers(session: OnnxSession, pads: bool) -> None:
    model = OnGpu(session, pads=pads, device="cpu")
    seen = [pixels(images=3, seed=seed) for seed in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(model.run, seen))
    for each, images in zip(found, seen, strict=True):
        np.testing.assert_array_equal(each, session.run(images)[1])


def test_a_failure_is_one_sentence(session: OnnxSession) -> None:
    model = OnGpu(session, device="cpu")
    with pytest.raises(ModelError, match=r"failed \(.+\): choose another engine\.$"):
        model.run(np.zeros((2, SIZE + 1, SIZE, 3), np.uint8))


def test_few_sizes_are_kept(session: OnnxSession) -> None:
    padded, exact = OnGpu(session, pads=True, device="cpu"), OnGpu(session, device="cpu")
    for images in range(1, 70):
        padded.run(pixels(images))
        exact.run(pixels(images))
    assert set(padded._bound) == {1, 2, 4, 8, 16, 32, 64, 128} and set(exact._bound) == {69}


def test_held_images_are_answered_where_they_lie(session: OnnxSession) -> None:
    model = OnGpu(session, pads=True, device="cpu")
    assert isinstance(model, HoldsImages)
    seen = pixels(4)
    again = model.hold(seen)
    seen[:] = 0  # a copy lies there: the caller's own images may change
    again()
    np.testing.assert_array_equal(model._bound[4].take(4), session.run(pixels(4))[1])
    model.hold(pixels(LARGEST_BATCH + 1))()
    assert set(model._bound) == {1, 4, LARGEST_BATCH}


def test_cuda_graphs_and_number_formats_are_asked_for() -> None:
    assert cuda_options(records=True) == {"enable_cuda_graph": "1"} and cuda_options(False) == {}
    exact, half, bytes_ = (tensorrt_options(each, 32) for each in ("fp32", "fp16", "int8"))
    assert exact == {
        "trt_profile_min_shapes": "image:1x32x32x3",
        "trt_profile_opt_shapes": "image:128x32x32x3",
        "trt_profile_max_shapes": "image:1024x32x32x3",
    }
    assert half == exact | {"trt_fp16_enable": "1"} and bytes_ == exact | {"trt_int8_enable": "1"}


def test_options_reach_the_provider(session: OnnxSession, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    real = onnxruntime.InferenceSession

    def note(data: bytes, options: object, providers: list[object], **more: object) -> object:
        told.extend(providers)
        return real(data, options, providers=["CPUExecutionProvider"], **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", note)
    with pytest.raises(
        ModelError, match="does not run here"
    ):  # what came is on the CPU, and seen to be
        OnnxSession(session.path, "cuda", options=cuda_options(records=True))
    assert told == [("CUDAExecutionProvider", {"enable_cuda_graph": "1"}), "CPUExecutionProvider"]
