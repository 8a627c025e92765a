"""A training step as one CUDA graph: what a small net's step costs a GPU is launching its kernels.

A step of ResNet-20 is some hundred kernels of a few microseconds. Recorded once and replayed with
one launch, they follow each other without a gap, Python is free, and nets on streams of their own
fill the GPU together. Numbers that change from step to step (the images' indices, the learning
rates, the random generator's place) lie in the GPU's memory, where the kernels read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from resnet_core.training.feed import PictureFeed
from resnet_core.training.hardware import Hardware, cudnn_flags
from resnet_core.training.optimizers import OptimizerSet
from resnet_core.training.recipes import Recipe

WARM_STEPS = 3  # so that libraries have chosen their kernels and taken their memory
LossAndWrong = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


def can_graph(hardware: Hardware, recipe: Recipe, feed: PictureFeed) -> bool:
    """Whether a run's steps are all alike, and all on a GPU. Adam's are not: it counts on the CPU."""
    is_whole = type(feed) is PictureFeed
    return hardware.device.type == "cuda" and is_whole and recipe.optimizer != "adam"


class GraphedStep:
    """One optimiser step on given images, recorded; the net is as it was before.

    Args:
        model: whose parameters and statistics the step changes.
        batch_size: images in every step.
    """

    def __init__(
        self,
        model: nn.Module,
        feed: PictureFeed,
        labels: Tensor,
        loss_and_wrong: LossAndWrong,
        optimizers: OptimizerSet,
        generator: torch.Generator,
        batch_size: int,
    ):
        self._feed, self._labels, self._generator = feed, labels, generator
        self._loss_and_wrong, self._optimizers = loss_and_wrong, optimizers
        self._chosen = torch.arange(batch_size, device=labels.device)
        optimizers.keep_rates_on(labels.device)
        self._graph = torch.cuda.CUDAGraph()
        with _aside(), cudnn_flags(allow_tf32=True, benchmark=True):
            with _put_back(model, optimizers, generator):
                for _ in range(WARM_STEPS):
                    self._compute()
            self._graph.register_generator_state(generator)
            # Other threads may use the GPU meanwhile, for nets of their own.
            self._graph.capture_begin(capture_error_mode="thread_local")
            self._loss, self._wrong = self._compute()
            self._graph.capture_end()

    def take(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """A step on the images with these indices: mean loss and wrong answers.

        The tensors are overwritten by the next step. The gradients stay in the parameters.
        """
        self._chosen.copy_(chosen, non_blocking=True)
        self._graph.replay()
        return self._loss, self._wrong

    def _compute(self) -> tuple[Tensor, Tensor]:
        inputs = self._feed.take(self._chosen, self._generator)
        self._optimizers.zero_grad()
        loss, wrong = self._loss_and_wrong(inputs, self._labels[self._chosen])
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizers.step()
        return loss.detach(), wrong


@contextmanager
def _aside() -> Iterator[None]:
    """On a stream of its own, as recording asks for, after and before what the current one does.

    It is served before those of nets that already train, which would let it wait for long.
    """
    current, own = torch.cuda.current_stream(), torch.cuda.Stream(priority=-3)  # type: ignore[no-untyped-call]
    own.wait_stream(current)
    with torch.cuda.stream(own):
        yield
    current.wait_stream(own)


@contextmanager
def _put_back(
    model: nn.Module, optimizers: OptimizerSet, generator: torch.Generator
) -> Iterator[None]:
    """Undo, in place, what steps change; an optimiser's new sums begin at zero."""
    state = generator.get_state()
    before = {id(t): t.detach().clone() for t in (*_weights(model), *_sums(optimizers))}
    yield
    with torch.no_grad():
        for tensor in (*_weights(model), *_sums(optimizers)):
            if id(tensor) in before:
                tensor.copy_(before[id(tensor)])
            else:
                tensor.zero_()
    generator.set_state(state)


def _weights(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _sums(optimizers: OptimizerSet) -> list[Tensor]:
    return [
        value
        for member in optimizers.members
        for slots in member.state.values()
        for value in slots.values()
        if isinstance(value, Tensor)
    ]
