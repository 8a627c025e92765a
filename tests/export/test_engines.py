"""Every engine that works here gives PyTorch's answers; every other one says what it lacks."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from export.catalogue import find_exported
from export.engines import catalogue
from export.engines.catalogue import ENGINES, Choice, find_choice, list_choices
from export.engines.interface import Obstacle
from export.engines.on_pytorch import _answering
from resnet_core.errors import ConfigError, ModelError
from resnet_core.models.saved import load_model
from resnet_core.training.find import find_weights_beside
from resnet_core.training.hardware import Hardware

# Largest difference of a probability: rounding in fp32, eleven bits of mantissa in fp16, eight in
# bf16, 256 steps a layer in int8.
TOLERANCES = {"fp32": 1e-5, "fp16": 0.02, "bf16": 0.1, "int8": 0.3}
USABLE = [choice for choice in list_choices() if choice.obstacle is None]


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def expected(pixels: np.ndarray) -> np.ndarray:
    """The model's forward pass itself, in fp32, by no engine."""
    model = load_model(find_weights_beside(find_exported("resnet20_v1").file)).model.eval()
    with torch.no_grad():
        return model(torch.from_numpy(pixels)).softmax(1).numpy()


@pytest.mark.parametrize("choice", USABLE, ids=lambda choice: choice.key)
def test_usable_engines_agree_with_pytorch(
    choice: Choice, pixels: np.ndarray, expected: np.ndarray
) -> None:
    model = choice.engine.open(find_exported("resnet20_v1").file, choice.precision, 1)
    assert choice.precision in model.name
    first = model.run(pixels)
    # Compiling takes half a minute for each new size.
    for batch in (5,) if "compiled" in choice.key else (1, 2, 5):
        found = model.run(pixels[:batch])
        assert found.dtype == np.float32 and found.shape == (batch, 10)
        assert np.abs(found - expected[:batch]).max() < TOLERANCES[choice.precision]
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-3)
    # An answer is the caller's own: the next one does not change it.
    kept = first.copy()
    model.run(255 - pixels)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("compiled", [True, False])
def test_what_is_called_compiled_is_compiled_on_every_device(
    device: str, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "compile", lambda function: "compiled")
    hardware = Hardware(torch.device(device), "fp32", compiled)
    assert (_answering(torch.nn.Identity(), hardware) == "compiled") is compiled


def test_the_exact_engines_are_usable_here() -> None:
    """Else the test above would pass by testing nothing."""
    assert {"pytorch-eager:fp32", "onnxruntime-cpu:fp32", "openvino-cpu:fp32"} <= {
        choice.key for choice in USABLE
    }


def test_an_engine_that_lacks_something_says_what_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broken = ENGINES["openvino-cpu"].__class__(
        **{
            **vars(ENGINES["openvino-cpu"]),
            "obstacle": lambda precision: Obstacle("it was taken away", "pip install openvino"),
        }
    )
    monkeypatch.setitem(catalogue.ENGINES, "openvino-cpu", broken)
    with pytest.raises(ModelError, match="it was taken away: pip install openvino"):
        find_choice("openvino-cpu")
    with pytest.raises(ConfigError, match="There is no engine named 'abacus'"):
        find_choice("abacus")
    with pytest.raises(ConfigError, match="offers fp32, int8, not 'int3'"):
        find_choice("onnxruntime-cpu:int3")


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.engines.on_onnxruntime_gpu.has_nvidia_gpu", lambda: False)
    with pytest.raises(ModelError, match="no NVIDIA GPU"):
        find_choice("onnxruntime-tensorrt")


def test_commands_list_engines_and_force_one(run_module, tmp_path) -> None:
    from PIL import Image

    rows = json.loads(run_module("export", "engines", "--json").stdout)
    assert {(row["engine"], row["precision"]) for row in rows} == {
        (choice.engine.key, choice.precision) for choice in list_choices()
    }
    assert all(row["usable"] or row["obstacle"]["reason"] for row in rows)
    picture = tmp_path / "p.png"
    Image.fromarray(np.full((40, 40, 3), 90, np.uint8)).save(picture)
    forced = run_module("export", "classify", picture, "--engine", "openvino-cpu", "--json")
    assert forced.returncode == 0, forced.stderr
    assert json.loads(forced.stdout)[0]["engine"].startswith("OpenVINO")
    usual = json.loads(run_module("export", "classify", picture, "--json").stdout)[0]
    for a, b in zip(json.loads(forced.stdout)[0]["classes"], usual["classes"], strict=True):
        assert a["name"] == b["name"] and a["probability"] == pytest.approx(
            b["probability"], abs=1e-4
        )
    wrong = run_module("export", "classify", picture, "--engine", "abacus")
    assert wrong.returncode == 2 and "choose one of" in wrong.stderr


@pytest.mark.skipif(find_spec("openvino") is None, reason="OpenVINO is not installed")
def test_openvino_compiles_for_few_sizes_of_small_batches() -> None:
    """Compiling takes as long as a hundred images; a server's batches have any size."""
    model = find_choice("openvino-cpu:fp32").engine.open(
        find_exported("resnet20_v1").file, "fp32", 1
    )
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    alone = np.concatenate([model.run(images[at : at + 1]) for at in range(40)])
    for size in (*range(1, 33), 40):
        np.testing.assert_allclose(model.run(images[:size]), alone[:size], atol=1e-5)
    assert sorted(model._by_batch) == [2, 4, 8, 16, 32, 40]  # type: ignore[attr-defined]
