"""Which nets train by the kit's own kernels, where, and what is said of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from resnet_core.data.dataset import load_dataset
from resnet_core.display import describe_event
from resnet_core.events import Event, Started, Stepped
from resnet_core.models.config import SHORTCUTS, parse_model_name
from resnet_core.models.network import Network, build_network
from resnet_core.runs.folder import RunFolder
from resnet_core.training import hardware, loop
from resnet_core.training.config import TrainConfig
from resnet_core.training.cpu_kernels import chain, use
from resnet_core.training.cpu_kernels.chain import ChainedStage
from resnet_core.training.cpu_kernels.kernels import has_compiler
from resnet_core.training.cpu_kernels.use import put_kernels_in, trains_in_chains, use_kernels
from resnet_core.training.hardware import KERNELS_PAY_AFTER_IMAGES, choose_hardware
from resnet_core.training.loop import train
from resnet_core.training.recipes import find_recipe
from tests.resnet_core.cpu_kernels import ON_LINUX_AND_X86

HAS_COMPILER = pytest.mark.skipif(
    sys.platform != "linux" or not has_compiler(), reason="needs Linux and a C++ compiler"
)


@pytest.mark.parametrize(
    ("chip", "precision", "switch", "images", "chosen"),
    [
        ("avx512_bf16", "auto", "auto", KERNELS_PAY_AFTER_IMAGES, True),
        ("amx_bf16", "auto", "auto", KERNELS_PAY_AFTER_IMAGES, True),
        ("avx512_bf16", "auto", "auto", KERNELS_PAY_AFTER_IMAGES - 1, False),
        ("avx512_bf16", "auto", "on", 1, True),
        ("avx512_bf16", "auto", "off", 10**9, False),
        ("avx512_bf16", "fp32", "auto", 10**9, False),
        ("avx2", "bf16", "auto", 10**9, False),
    ],
)
@HAS_COMPILER
def test_they_are_chosen_where_they_pay(
    monkeypatch, chip: str, precision: str, switch: str, images: int, chosen: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {chip: True})
    chosen_here = choose_hardware("cpu", precision, switch, images, in_chains=True)
    assert chosen_here.own_kernels is chosen


@HAS_COMPILER
@pytest.mark.parametrize(
    ("chip", "in_chains", "switch", "own_kernels", "compiled"),
    [
        ("avx512_bf16", True, "auto", True, False),
        ("avx512_bf16", True, "on", True, True),
        ("avx512_bf16", False, "auto", True, True),
        ("amx_bf16", True, "auto", True, False),
        ("amx_bf16", False, "auto", True, True),
    ],
)
def test_a_step_of_chains_is_compiled_only_when_asked(
    monkeypatch, chip: str, in_chains: bool, switch: str, own_kernels: bool, compiled: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {chip: True})
    found = choose_hardware("cpu", "auto", switch, 10**9, in_chains=in_chains)
    assert (found.own_kernels, found.compiled) == (own_kernels, compiled)


@pytest.mark.parametrize("shortcut", SHORTCUTS)
@pytest.mark.parametrize("name", ["plain20", "resnet8_v1", "resnet29_v2", "highway20"])
def test_nets_said_to_train_in_chains_do(name: str, shortcut: str) -> None:
    if (name, shortcut) == ("highway20", "tutorial"):
        return  # there are none
    config = parse_model_name(name, shortcut=shortcut)
    network = build_network(config)
    put_kernels_in(network)
    assert isinstance(network, Network)
    stages = (network.stage1, network.stage2, network.stage3)
    in_chains = all(type(stage) is ChainedStage and stage.single_blocks == 0 for stage in stages)
    assert in_chains is trains_in_chains(config)


def test_without_a_compiler_they_are_not_chosen(monkeypatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setenv("PATH", "")
    assert not choose_hardware("cpu", "auto", "on", 10**9, in_chains=True).own_kernels


def start(folder: Path, epochs: float) -> tuple[Started, Iterator[Event]]:
    recipe = find_recipe("taste").changed(epochs=epochs)
    model = parse_model_name("resnet20_v1")
    config = TrainConfig(model, "shapes", recipe, data_folder="", device="cpu")
    events = train(config, load_dataset("shapes", folder), RunFolder(folder / "run"))
    started = next(events)
    assert isinstance(started, Started) and not started.compiled
    return started, events


@ON_LINUX_AND_X86
@HAS_COMPILER
def test_a_run_of_some_length_trains_by_them(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    started, events = start(tmp_path, epochs=3)
    assert started.own_kernels and ", own kernels" in describe_event(started)
    chained: list[int] = []
    operation = chain.chain
    monkeypatch.setattr(
        chain, "chain", lambda *given: chained.append(len(given[0])) or operation(*given)
    )
    next(event for event in events if isinstance(event, Stepped))
    events.close()  # type: ignore[attr-defined]
    assert chained[:3] == [128] * 3


@ON_LINUX_AND_X86
@HAS_COMPILER
def test_a_run_by_them_that_is_broken_off_goes_on_to_the_same_weights(
    monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    monkeypatch.setattr(hardware, "KERNELS_PAY_AFTER_IMAGES", 0)
    monkeypatch.setattr(loop, "STEP_EVENT_EVERY_SECONDS", 0.0)
    config = TrainConfig(
        parse_model_name("resnet8_v1"), "shapes", find_recipe("taste").changed(epochs=0.3),
        data_folder="", device="cpu", checkpoint_seconds=0.0,
    )  # fmt: skip
    dataset = load_dataset("shapes", tmp_path)
    whole, broken = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "broken")
    for _ in train(config, dataset, whole):
        pass
    events = train(config, dataset, broken)
    next(event for event in events if isinstance(event, Stepped) and event.step == 9)
    events.close()  # type: ignore[attr-defined]
    resumed = train(config, dataset, broken)
    started = next(resumed)
    assert isinstance(started, Started) and started.own_kernels and started.step > 0
    for _ in resumed:
        pass
    once, again = (load_file(folder.last_model_file) for folder in (whole, broken))
    assert once.keys() == again.keys()
    assert all(torch.equal(once[name], again[name]) for name in once)


def test_a_short_run_does_not_wait_for_them(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    started, _ = start(tmp_path, epochs=1)
    assert not started.own_kernels and "kernels" not in describe_event(started)


def test_a_compiler_that_can_not_build_it_is_told_of_and_done_without(monkeypatch) -> None:
    def no_compiler() -> None:
        raise FileNotFoundError("no g++")

    monkeypatch.setattr(use, "kernels", no_compiler)
    layer = nn.Conv2d(16, 16, 3, padding=1, bias=False)
    with pytest.warns(UserWarning, match="without kernels of its own"):
        use_kernels(nn.Sequential(layer))
    assert type(layer) is nn.Conv2d
