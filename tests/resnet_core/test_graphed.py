"""What a recorded step rests on; the recording itself needs a GPU, and is tested where there is one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from resnet_core.data.dataset import Dataset, Split, load_dataset
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import build_network
from resnet_core.runs.folder import RunFolder
from resnet_core.training import compiled_blocks
from resnet_core.training.compiled_blocks import compile_blocks
from resnet_core.training.config import TrainConfig
from resnet_core.training.distributed import ALONE
from resnet_core.training.graphed import _put_back, can_graph
from resnet_core.training.hardware import Hardware
from resnet_core.training.optimizers import OptimizerSet, make_optimizers
from resnet_core.training.recipes import RECIPES, Recipe
from resnet_core.training.setup import Learner, make_learner, set_up

CUDA = Hardware(torch.device("cuda"), "bf16", compiled=False)
CPU = Hardware(torch.device("cpu"), "fp32", compiled=False)


def small(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_network(parse_model_name("resnet8_v1")).to(memory_format=torch.channels_last)


def take_step(network: nn.Module, optimizers: OptimizerSet) -> None:
    generator = torch.Generator().manual_seed(1)
    optimizers.zero_grad()
    network(torch.randn(4, 3, 32, 32, generator=generator)).square().mean().backward()
    optimizers.step()


@pytest.mark.parametrize("recipe", [RECIPES["fast"], RECIPES["paper"]], ids=["muon", "sgd"])
def test_rates_that_lie_on_the_device_make_the_same_step(recipe: Recipe) -> None:
    nets = [small(), small()]
    sets = [make_optimizers(recipe, net) for net in nets]
    sets[1].keep_rates_on(torch.device("cpu"))
    for share in (0.5, 1.0, 0.25):
        for net, optimizers in zip(nets, sets, strict=True):
            optimizers.set_share(share)
            take_step(net, optimizers)
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)


def test_warming_up_leaves_no_trace() -> None:
    net, generator = small(), torch.Generator().manual_seed(3)
    optimizers = make_optimizers(RECIPES["fast"], net)
    take_step(net, optimizers)
    before = [t.detach().clone() for t in net.state_dict().values()]
    state = generator.get_state()
    sums = [
        slots["momentum_buffer"].clone()
        for member in optimizers.members
        for slots in member.state.values()
    ]
    with _put_back(net, optimizers, generator):
        torch.rand(5, generator=generator)
        take_step(net, optimizers)
        assert any(
            not torch.equal(a, b) for a, b in zip(before, net.state_dict().values(), strict=True)
        )
    assert all(torch.equal(a, b) for a, b in zip(before, net.state_dict().values(), strict=True))
    after = [s["momentum_buffer"] for m in optimizers.members for s in m.state.values()]
    assert all(torch.equal(a, b) for a, b in zip(sums, after, strict=True))
    assert torch.equal(state, generator.get_state())


def test_sums_that_warming_up_made_begin_at_zero() -> None:
    nets = [small(), small()]
    sets = [make_optimizers(RECIPES["fast"], net) for net in nets]
    with _put_back(nets[1], sets[1], torch.Generator()):
        take_step(nets[1], sets[1])
    for net, optimizers in zip(nets, sets, strict=True):
        take_step(net, optimizers)
        take_step(net, optimizers)
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        assert torch.equal(a, b)


def learner_on(device: str, recipe: Recipe, place: Path) -> tuple[Learner, Dataset]:
    shapes = load_dataset("shapes", place)
    few = Dataset("shapes", shapes.train.take(torch.arange(512)), shapes.test, shapes.class_names)
    config = TrainConfig(
        model=parse_model_name("resnet8_v1"), data="shapes", recipe=recipe, device=device, data_folder="unused",
        precision="fp32", compile="off",
    )  # fmt: skip
    return make_learner(set_up(config, few, RunFolder(place), ALONE)), few


def test_only_steps_that_are_all_alike_are_recorded(tmp_path: Path) -> None:
    learner, _ = learner_on("cpu", RECIPES["fast"], tmp_path)
    assert learner.graphed is None
    assert can_graph(CUDA, RECIPES["fast"], learner.feed)
    assert not can_graph(CPU, RECIPES["fast"], learner.feed)
    assert not can_graph(CUDA, RECIPES["tutorial"], learner.feed)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="recording a step needs an NVIDIA GPU")
@pytest.mark.parametrize("name", ["fast", "paper"])
def test_a_recorded_step_is_the_step_itself(name: str, tmp_path: Path) -> None:
    recorded, few = learner_on("cuda", RECIPES[name], tmp_path)
    plain, _ = learner_on("cuda", RECIPES[name], tmp_path)
    assert recorded.graphed is not None
    labels = few.train.labels.cuda()
    for start in (0, 128):
        chosen = torch.arange(start, start + 128, device="cuda")
        for learner in (recorded, plain):
            learner.optimizers.set_share(0.5)
        loss, wrong = recorded.graphed.take(chosen)
        inputs = plain.feed.take(chosen, plain.generator)
        plain.optimizers.zero_grad()
        expected, mistakes = plain.loss_and_wrong(inputs, labels[chosen])
        expected.backward()
        plain.optimizers.step()
        assert torch.allclose(loss, expected, rtol=1e-3) and int(wrong) == int(mistakes)
    ours, theirs = recorded.model.state_dict(), plain.model.state_dict()
    for key, value in ours.items():
        assert torch.allclose(value, theirs[key], rtol=1e-2, atol=1e-3), key


def test_compiled_blocks_are_the_blocks_and_are_shared_by_shape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    built: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> torch.fx.GraphModule:
        built.append(graph)
        return graph

    compiler = torch.compile
    monkeypatch.setattr(
        compiled_blocks.torch,
        "compile",
        lambda f, **options: compiler(f, backend=backend, **options),
    )
    compiled_blocks._compiled.cache_clear()
    torch._dynamo.reset()
    images = torch.randn(4, 3, 32, 32)
    for name in ("resnet20_v1", "resnet32_v1"):
        nets = []
        for is_compiled in (False, True):
            torch.manual_seed(0)
            nets.append(build_network(parse_model_name(name)))
            if is_compiled:
                compile_blocks(nets[-1])
        logits = [net(images) for net in nets]
        for out in logits:
            out.square().mean().backward()
        assert torch.allclose(*logits, atol=1e-5)
        for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
            assert torch.allclose(a.grad, b.grad, rtol=1e-3, atol=1e-6)
        assert nets[0].state_dict().keys() == nets[1].state_dict().keys()
        # Two stages begin with another shape than they go on with; a deeper net adds none.
        assert len(built) == 5
        with torch.no_grad():
            assert torch.allclose(*(net.eval()(images) for net in nets), atol=1e-5)
    assert len(built) == 5
    compiled_blocks._compiled.cache_clear()
    torch._dynamo.reset()


def test_the_data_of_a_process_is_prepared_once(tmp_path: Path) -> None:
    shapes = load_dataset("shapes", tmp_path)
    few = Dataset("shapes", Split(shapes.train.images[:300], shapes.train.labels[:300]),
                  shapes.test, shapes.class_names)  # fmt: skip
    setups = [
        set_up(
            TrainConfig(model=parse_model_name(name), data="shapes", recipe=RECIPES["fast"], data_folder="unused",
                        device="cpu", compile="off", seed=seed),
            few, RunFolder(tmp_path), ALONE,
        )
        for seed, name in enumerate(("resnet8_v1", "plain20"))
    ]  # fmt: skip
    assert setups[0].train is setups[1].train
    assert setups[0].steps_per_epoch == len(setups[0].train) // 128 == 2
