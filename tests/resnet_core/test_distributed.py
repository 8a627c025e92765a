"""Two real processes that train one net, against one process that does what they should."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from export.ship import ship
from resnet_core.data.augment import AUGMENTATIONS
from resnet_core.data.dataset import pixel_mean, split_validation
from resnet_core.errors import ConfigError
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import Network, PixelModel
from resnet_core.runs.folder import RunFolder, RunState
from resnet_core.runs.history import read_history, read_history_csv, step_images
from resnet_core.training.distributed import ALONE, Team, join_team
from resnet_core.training.hardware import choose_hardware
from resnet_core.training.optimizers import lr_scale, make_optimizers
from resnet_core.training.recipes import find_recipe
from resnet_core.training.setup import epoch_order
from tests.resnet_core.live_runs import ROOT, TIMED, run

STEPS, BATCH = 4, 16
WORDS = [
    "train", "--model", "resnet8_v1", "--data", "shapes", "--recipe", "paper", "--device", "cpu",
    "--precision", "fp32", "--compile", "off", "--batch-size", BATCH, "--epochs", STEPS / 281,
    "--seed", 5,
]  # fmt: skip


def run_two(*words: object) -> subprocess.CompletedProcess:
    """`torchrun --nproc-per-node 2` of the members' program."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return subprocess.run(
        [*command, "--nproc-per-node", "2", "-m", "tests.resnet_core.team_member", "--"]
        + [str(word) for word in words],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> RunFolder:
    folder = RunFolder(tmp_path_factory.mktemp("team") / "run")
    done = run_two("weights", folder.path, *WORDS, "--run", folder.path)
    assert done.returncode == 0, done.stderr
    assert "2 devices, 32 images a step together, learning rate × 2" in done.stdout
    assert done.stdout.count("Finished: test error") == 1  # one of them prints
    return folder


def gradients_of(net: Network, images: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
    loss = F.cross_entropy(net(images), labels)
    return list(torch.autograd.grad(loss, list(net.parameters())))


@pytest.fixture(scope="module")
def joined(tmp_path_factory) -> Path:
    """A net, a batch, and what a step of two came to in either mode of the net."""
    folder = tmp_path_factory.mktemp("joined")
    torch.manual_seed(1)
    net = Network(parse_model_name("plain8"))
    for name, buffer in net.named_buffers():
        if name.endswith(("mean", "var")):
            buffer.uniform_(0.5, 1.5)
    images, labels = torch.randn(12, 3, 32, 32), torch.arange(12) % 10
    save_file({"images": images, "labels": labels}, folder / "batch")
    save_file(net.state_dict(), folder / "net")
    done = run_two("gradients", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("mode", ["train", "eval"])
def test_joined_gradients_are_those_of_the_whole_batch(joined: Path, mode: str) -> None:
    result, batch = load_file(joined / mode), load_file(joined / "batch")
    images, labels = batch["images"], batch["labels"]
    net = Network(parse_model_name("plain8")).train(mode == "train")
    net.load_state_dict(load_file(joined / "net"))
    buffers = {name: buffer.clone() for name, buffer in net.named_buffers()}
    halves, statistics, losses = [], [], []
    for half in (slice(0, 6), slice(6, 12)):
        for name, buffer in net.named_buffers():
            buffer.copy_(buffers[name])
        halves.append(gradients_of(net, images[half], labels[half]))
        statistics.append({name: buffer.clone() for name, buffer in net.named_buffers()})
        with torch.no_grad():
            losses.append(F.cross_entropy(net(images[half]), labels[half]))
    expected = [(a + b) / 2 for a, b in zip(*halves, strict=True)]
    names = [name for name, _ in net.named_parameters()]
    for name, gradient in zip(names, expected, strict=True):
        torch.testing.assert_close(result[f"gradient.{name}"], gradient, rtol=1e-4, atol=1e-6)
    for name, first in statistics[0].items():
        mean = (first + statistics[1][name]) / 2 if first.is_floating_point() else first
        torch.testing.assert_close(result[f"buffer.{name}"], mean)
    torch.testing.assert_close(result["loss"], sum(losses) / 2)
    if mode == "eval":  # batch norm does not depend on the batch: the parts add up to the whole
        whole = gradients_of(net, images, labels)
        for name, gradient in zip(names, whole, strict=True):
            torch.testing.assert_close(result[f"gradient.{name}"], gradient, rtol=1e-4, atol=1e-6)
        assert result["wrong"] == (net(images).argmax(1) != labels).sum()


def test_shares_make_up_the_batch_of_a_process_alone() -> None:
    order, size, batch = epoch_order(103, 7, 2), 3, 8
    seen = []
    for position in range(103 // (size * batch)):
        shares = [Team(rank, size, rank).own_share(order, position, batch) for rank in range(size)]
        assert [len(share) for share in shares] == [batch] * size
        joined = torch.cat(shares)
        assert torch.equal(joined, ALONE.own_share(order, position, size * batch))
        seen += joined.tolist()
    assert len(seen) == len(set(seen)) == 96


@pytest.fixture
def one_thread():
    """As the members have: another number sums in another order, and a ReLU may fall elsewhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_a_run_of_two_is_what_one_process_computes_for_both(
    unbroken: RunFolder, shapes, one_thread
) -> None:
    """Same images, augmentation, mean gradients, twice the rate; batch norm apart, then averaged."""
    recipe = find_recipe("paper")
    kept, _ = split_validation(shapes.train, 1000, 0)
    torch.manual_seed(5)
    model = PixelModel(parse_model_name("resnet8_v1"), *pixel_mean(kept)).train()
    model = model.to(memory_format=torch.channels_last)
    net = model.network
    optimizer = torch.optim.SGD(net.parameters(), lr=0.2, momentum=0.9, weight_decay=1e-4)
    generators = [torch.Generator().manual_seed(5), torch.Generator().manual_seed(5 + 1_000_003)]
    order, loss_sum = epoch_order(len(kept), 5, 0), 0.0
    for step in range(STEPS):
        before = {name: buffer.clone() for name, buffer in net.named_buffers()}
        after: dict[str, list[torch.Tensor]] = {name: [] for name in before}
        optimizer.zero_grad()
        for rank, generator in enumerate(generators):
            for name, buffer in net.named_buffers():
                buffer.copy_(before[name])
            begin = step * 2 * BATCH + rank * BATCH
            batch = kept.take(order[begin : begin + BATCH])
            images = AUGMENTATIONS[recipe.augmentation](model.normalise(batch.images), generator)
            loss = F.cross_entropy(net(images), batch.labels)
            (loss / 2).backward()
            loss_sum += loss.item() / 2
            for name, buffer in net.named_buffers():
                after[name].append(buffer.clone())
        for name, buffer in net.named_buffers():
            if buffer.is_floating_point():
                buffer.copy_((after[name][0] + after[name][1]) / 2)
        optimizer.param_groups[0]["lr"] = 2 * 0.1 * (1, 1, 0.1, 0.01)[step]
        optimizer.step()
    written = load_file(unbroken.last_model_file)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(written[name], tensor, rtol=1e-3, atol=1e-5, msg=name)
    epoch = next(e for e in unbroken.events() if e["event"] == "epoch")
    assert epoch["train_loss"] == pytest.approx(loss_sum / STEPS, rel=1e-4)
    assert unbroken.summary()["test_error_percent"] == unbroken.events()[-1]["test_error_percent"]


def test_both_hold_the_same_weights_and_the_run_says_how_it_was_made(unbroken: RunFolder) -> None:
    first, second = ((unbroken.path / f"hash{rank}").read_text() for rank in (0, 1))
    assert first == second
    started = unbroken.events()[0]
    assert (started["devices"], started["global_batch_size"], started["lr_scale"]) == (2, 32, 2)
    assert unbroken.config()["devices"] == 2
    assert unbroken.config()["command"].startswith("torchrun --nproc-per-node 2 -m resnet_core -- ")
    lrs = [e["lr"] for e in unbroken.events() if e["event"] == "epoch"]
    assert lrs == [pytest.approx(2 * 0.1 * 0.01)]  # past both drops


def test_its_net_ships_with_its_curves(tmp_path: Path, unbroken: RunFolder) -> None:
    entry = ship(unbroken, "of_two", tmp_path, zoo=tmp_path)
    shipped = read_history_csv(entry.folder / "history.csv", step_images(entry.card))
    ours, theirs = shipped.epochs[-1], read_history(unbroken).epochs[-1]
    assert ours.step == theirs.step == STEPS and ours.images == STEPS * 2 * BATCH
    assert ours.train_loss == pytest.approx(theirs.train_loss)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are listed on Linux")
def test_nobody_exits_with_threads_that_still_talk(unbroken: RunFolder) -> None:
    """They would ask for an interpreter that is gone, and the process would end by an abort."""
    for rank in (0, 1):
        names = (unbroken.path / f"threads{rank}").read_text()
        assert "python" in names and "gloo" not in names


def test_stopped_and_resumed_by_two_is_bit_identical(tmp_path: Path, unbroken: RunFolder) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.request_stop()  # in the folder before the run is: it stops after its first step
    stopped = run_two("weights", folder.path, *WORDS, "--run", folder.path)
    assert stopped.returncode == 0, stopped.stderr
    assert folder.state() is RunState.STOPPED and folder.events()[-1]["step"] == 1
    alone = run("resume", folder.path)
    assert alone.returncode == 2 and "torchrun --nproc-per-node 2" in alone.stderr
    resumed = run_two("weights", folder.path, "resume", folder.path)
    assert resumed.returncode == 0, resumed.stderr
    assert "Resuming at step 1" in resumed.stdout
    for name in ("hash0", "hash1"):
        assert (folder.path / name).read_text() == (unbroken.path / name).read_text()
    ends = [next(e for e in f.events() if e["event"] == "epoch") for f in (folder, unbroken)]
    assert {k: v for k, v in ends[0].items() if k not in TIMED} == {
        k: v for k, v in ends[1].items() if k not in TIMED
    }


def test_a_failure_of_one_ends_all_and_is_told(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    done = run_two("fail", *WORDS, "--run", folder.path)
    assert done.returncode != 0
    assert folder.state() is RunState.FAILED
    assert folder.error_file.read_text() == "The second process lost its mind: give it another.\n"


def test_sgd_alone_takes_a_larger_rate() -> None:
    net = Network(parse_model_name("plain8"))
    for name, scales in (("paper", [4.0]), ("tutorial", [1.0]), ("fast", [4.0, 1.0])):
        alone = make_optimizers(find_recipe(name), net)
        team = make_optimizers(find_recipe(name), net, devices=4)
        rates = [
            y.param_groups[0]["lr"] / x.param_groups[0]["lr"]
            for x, y in zip(alone.members, team.members, strict=True)
        ]
        assert rates == pytest.approx(scales)
        assert lr_scale(find_recipe(name), 4) == scales[0]


def test_without_torchrun_there_is_a_team_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "8")  # as some clusters set it for themselves
    with join_team() as team:
        assert team is ALONE and team.is_leader


def test_each_member_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    hardware = choose_hardware("auto", "fp32", "off", 0, Team(1, 2, 1))
    assert str(hardware.device) == "cuda:1"
    with pytest.raises(ConfigError, match="start 2 with --nproc-per-node"):
        choose_hardware("cuda", "fp32", "off", 0, Team(2, 3, 2))
    with pytest.raises(ConfigError, match="one GPU for 2 processes"):
        choose_hardware("cuda:0", "fp32", "off", 0, Team(0, 2, 0))


@pytest.mark.parametrize("words", [["--queue"], ["--minutes", "1"]])
def test_a_team_refuses_what_one_process_does(run_module, tmp_path: Path, words: list[str]) -> None:
    options = ["--model", "resnet8_v1", "--data", "shapes", "--runs", tmp_path, *words]
    done = run_module("resnet_core", "train", *options, WORLD_SIZE="2")
    assert done.returncode == 2 and words[0] in done.stderr and "torchrun" in done.stderr
    assert not list(tmp_path.iterdir())
