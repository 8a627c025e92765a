"""The engine that replays CUDA graphs: what it folds and pads anywhere, its answers on a GPU."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from export.catalogue import find_exported
from export.engines.catalogue import find_choice, find_engine
from export.engines.folded import fold_batch_norms
from export.engines.interface import padded_size
from export.engines.on_cuda_graphs import LARGEST_BATCH
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import build_network


@pytest.mark.parametrize(("name", "shortcut", "left"), [
    ("plain20", "A", 0), ("resnet20_v1", "A", 0), ("resnet20_v1", "B", 0), ("highway20", "A", 0),
    ("resnet20_v2", "B", 7), ("resnet20_v2", "tutorial", 6), ("resnet8_v1", "tutorial", 0),
])  # fmt: skip
def test_a_folded_net_answers_the_same(name: str, shortcut: str, left: int) -> None:
    torch.manual_seed(0)
    net = build_network(parse_model_name(name, shortcut=shortcut))
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):  # as after training: far from where they begin
                module.weight.uniform_(0.5, 2.0)
                module.bias.uniform_(-1.0, 1.0)
                module.running_mean.uniform_(-1.0, 1.0)
                module.running_var.uniform_(0.5, 2.0)
        net.double().eval()
        images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
        expected = net(images)
        fold_batch_norms(net)
        assert torch.allclose(net(images), expected, rtol=1e-9, atol=1e-9)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in net.modules()) == left


def test_batches_are_recorded_at_powers_of_two() -> None:
    sizes = {images: padded_size(images) for images in range(1, LARGEST_BATCH + 1)}
    assert all(images <= size < 2 * images or images == 1 for images, size in sizes.items())
    assert set(sizes.values()) == {2**n for n in range(11)}


@pytest.mark.skipif(torch.cuda.is_available(), reason="this is about machines without a GPU")
def test_without_a_gpu_it_says_so() -> None:
    obstacles = [choice.obstacle for choice in find_engine("pytorch-cuda-graphs")]
    assert [o.reason for o in obstacles if o] == ["there is no NVIDIA GPU that PyTorch can use"] * 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="replaying graphs needs an NVIDIA GPU")
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
def test_on_a_gpu_it_answers_as_the_file_does(precision: str) -> None:
    file = find_exported("resnet20_v1").file
    images = np.random.default_rng(0).integers(0, 256, (1100, 32, 32, 3), dtype=np.uint8)
    models = [
        choice.engine.open(file, choice.precision, 0)
        for choice in (
            find_choice(f"pytorch-cuda-graphs:{precision}"),
            find_choice("onnxruntime-cpu"),
        )
    ]
    for size in (1, 3, 1100):
        ours, theirs = (model.run(images[:size]) for model in models)
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() < {"fp32": 0.01, "fp16": 0.05, "bf16": 0.3}[precision]
