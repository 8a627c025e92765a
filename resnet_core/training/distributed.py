"""Several processes that train one net, one on each device, started by `torchrun`.

Each takes its share of every batch; after it, gradients are averaged, so that all make the same
step and hold the same weights. Batch norm normalises by the images of its own device, as DDP
does; its running statistics are averaged too. A process that works alone is a team of one, whose
methods do nothing: the loop has one code path.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from resnet_core.errors import LabError

T = TypeVar("T")
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Team:
    """A process that trains alone."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Number of its device on this machine."""

    @property
    def is_leader(self) -> bool:
        """Whether this member makes the run folder, records, writes checkpoints and prints."""
        return self.rank == 0

    def follow_leader(self, act: Callable[[], T]) -> T:
        """The leader acts, all get its result. Where it fails, it says why; the others just end."""
        return act()

    def leader_first(self, act: Callable[[], T]) -> T:
        """All act, the leader before the others: what it fetches, they find."""
        return act()

    def decide(self, *choices: bool) -> tuple[bool, ...]:
        """The leader's choices, for all: clocks differ, and a stop is seen by one first."""
        return choices

    def join_step(self, network: nn.Module, loss: Tensor, wrong: Tensor) -> tuple[Tensor, Tensor]:
        """Average gradients and running statistics in place; the mean loss and all wrong answers."""
        return loss, wrong

    def gather(self, state: Tensor) -> list[Tensor]:
        """Everyone's state, in the order of ranks; returns once all have given theirs."""
        return [state]

    def own_share(self, order: Tensor, position: int, batch_size: int) -> Tensor:
        """The images of this member in an epoch's step: all shares of a step are one batch of it."""
        start = (position * self.size + self.rank) * batch_size
        return order[start : start + batch_size]


class ProcessTeam(Team):
    """One of several processes; CPU tensors travel by gloo, those of GPUs by NCCL."""

    def follow_leader(self, act: Callable[[], T]) -> T:
        result: list[T | None] = [None]
        try:
            if self.is_leader:
                result = [act()]
        except LabError:
            self.decide(False)
            raise
        if not self.decide(True)[0]:
            raise SystemExit(2)
        dist.broadcast_object_list(result, src=0, device=CPU)
        return result[0]  # type: ignore[return-value]

    def leader_first(self, act: Callable[[], T]) -> T:
        mine: list[T] = []
        self.follow_leader(lambda: mine.append(act()))
        return mine[0] if mine else act()

    def decide(self, *choices: bool) -> tuple[bool, ...]:
        # On the CPU: a GPU is not waited for.
        flags = torch.tensor(choices, dtype=torch.uint8)
        dist.broadcast(flags, src=0)
        return tuple(map(bool, flags.tolist()))

    @torch.no_grad()
    def join_step(self, network: nn.Module, loss: Tensor, wrong: Tensor) -> tuple[Tensor, Tensor]:
        # In one piece: nets of a few megabytes gain nothing by overlapping it with the backward
        # pass, and plain gradients suit a compiled step and any optimiser.
        averaged = [p.grad for p in network.parameters() if p.grad is not None]
        # Of frozen batch norms the statistics stay to the bit: they are in evaluation mode.
        learning = [m for m in network.modules() if m.training]
        averaged += [b for m in learning for b in m.buffers(False) if b.is_floating_point()]
        # Wrong answers are few enough to be exact in float32.
        pieces = [*averaged, loss.detach(), wrong.to(loss.dtype)]
        together = torch.cat([piece.reshape(-1) for piece in pieces])
        dist.all_reduce(together)
        *sums, loss_sum, all_wrong = torch.split(together, [piece.numel() for piece in pieces])
        for target, total in zip(averaged, sums, strict=True):
            target.copy_(total.view(target.shape) / self.size)
        return (loss_sum / self.size).squeeze(), all_wrong.squeeze().to(wrong.dtype)

    def gather(self, state: Tensor) -> list[Tensor]:
        states = [torch.empty_like(state) for _ in range(self.size)]
        dist.all_gather(states, state)
        return states


ALONE = Team()


@contextmanager
def join_team() -> Iterator[Team]:
    """The team that `torchrun` started this process in; a team of one without it."""
    size = int(os.environ.get("WORLD_SIZE", "1")) if "LOCAL_RANK" in os.environ else 1
    if size == 1:
        yield ALONE
        return
    # Its functions take the group of the moment of import as their default, and would keep it:
    # imported later, by an optimiser, the group's threads would outlive it and abort at the exit.
    import torch.distributed.nn

    has_nccl = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group("cpu:gloo,cuda:nccl" if has_nccl else "gloo")
    yield ProcessTeam(dist.get_rank(), size, int(os.environ["LOCAL_RANK"]))
    # Not after a failure, when the others may be gone: torchrun ends those that are left.
    dist.destroy_process_group()
