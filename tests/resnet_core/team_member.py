"""What test_distributed.py has each process of a team do; started by torchrun."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from resnet_core.__main__ import main
from resnet_core.errors import LabError
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import Network
from resnet_core.training import loop
from resnet_core.training.distributed import Team, join_team


def join_gradients(folder: Path) -> None:
    """A step of the team in either mode of the net; the leader writes what came out."""
    batch = load_file(folder / "batch")
    with join_team() as team:
        for mode in ("train", "eval"):
            net = Network(parse_model_name("plain8"))
            net.load_state_dict(load_file(folder / "net"))
            result = join_step(team, net.train(mode == "train"), batch)
            if team.is_leader:
                save_file(result, folder / mode)


def join_step(team: Team, net: Network, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """On the members' parts of the batch."""
    mine = team.own_share(torch.arange(len(batch["labels"])), 0, len(batch["labels"]) // 2)
    logits = net(batch["images"][mine])
    loss = F.cross_entropy(logits, batch["labels"][mine])
    loss.backward()
    wrong = (logits.argmax(1) != batch["labels"][mine]).sum()
    loss, wrong = team.join_step(net, loss, wrong)
    result = {f"gradient.{name}": p.grad for name, p in net.named_parameters()}
    result |= {f"buffer.{name}": b for name, b in net.named_buffers()}
    return result | {"loss": loss, "wrong": wrong}


def thread_names() -> list[str]:
    """Those of C++ libraries too, where the system lists them."""
    return [(task / "comm").read_text().strip() for task in Path("/proc/self/task").glob("*")]


def train_and_tell_weights(words: list[str], folder: Path) -> None:
    """The command itself; then each member writes the hash of all the tensors it holds."""
    learners = []
    make = loop.make_learner
    loop.make_learner = lambda setup: learners.append((setup, make(setup))) or learners[0][1]
    status = main(words)
    setup, learner = learners[0]
    digest = hashlib.sha256()
    for tensor in learner.model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    (folder / f"hash{setup.team.rank}").write_text(digest.hexdigest())
    (folder / f"threads{setup.team.rank}").write_text(" ".join(thread_names()))
    sys.exit(status)


def fail_on_the_second(words: list[str]) -> None:
    take = loop._take_step

    def take_or_fail(setup, learner, chosen, step, measures_gradient):
        if setup.team.rank == 1 and step == 1:
            raise LabError("The second process lost its mind: give it another.")
        return take(setup, learner, chosen, step, measures_gradient)

    loop._take_step = take_or_fail
    sys.exit(main(words))


if __name__ == "__main__":
    task, *words = sys.argv[1:]
    if task == "gradients":
        join_gradients(Path(words[0]))
    elif task == "weights":
        train_and_tell_weights(words[1:], Path(words[0]))
    else:
        fail_on_the_second(words)
