"""The textbook loop: training as tutorials write it, in a process of its own as people run it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from time import perf_counter

from torch import Tensor, device, nn, optim
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from resnet_core.data.dataset import Split
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import build_network
from resnet_core.training.hardware import Hardware

UNTIMED_STEPS = 8  # at least what two workers prefetch while they wait for their turn


class TextbookImages(TorchDataset):
    """Images one at a time through torchvision's transforms, as tutorials do."""

    def __init__(self, split: Split):
        self.images = split.images.numpy()
        self.labels = split.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(split.images.shape[1], padding=4),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
            ]
        )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def textbook_steps(
    model: ModelConfig, split: Split, batch_size: int, device: device
) -> Iterator[None]:
    """fp32, NCHW, eager, a DataLoader with two workers: one step for each `next`, for ever.

    Net and batches are moved to `device` as tutorials do it, a plain `.to`.
    """
    network = build_network(model).train().to(device)
    optimizer = optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4, nesterov=True
    )
    loader = DataLoader(
        TextbookImages(split), batch_size, shuffle=True, num_workers=2, drop_last=True
    )
    loss_function: nn.Module = nn.CrossEntropyLoss()
    while True:
        for images, labels in loader:
            optimizer.zero_grad()
            loss = loss_function(network(images.to(device)), labels.to(device))
            loss.backward()
            optimizer.step()
            yield


class Textbook:
    """The loop, which stands still between the times it is asked for."""

    def __init__(self, model: ModelConfig, split: Split, batch_size: int, hardware: Hardware):
        self._steps = textbook_steps(model, split, batch_size, hardware.device)
        self._batch_size, self._hardware = batch_size, hardware

    def rate(self, seconds: float) -> float:
        """Images per second over so many seconds, after a few steps that are not counted."""
        for _ in range(UNTIMED_STEPS):
            next(self._steps)
        self._hardware.synchronise()  # a GPU's steps are only queued when `next` returns
        began, done = perf_counter(), 0
        while perf_counter() - began < seconds:
            next(self._steps)
            done += 1
        self._hardware.synchronise()
        return done * self._batch_size / (perf_counter() - began)


class _Asked:
    """The loop that another process holds."""

    def __init__(self, line: Connection):
        self._line = line

    def rate(self, seconds: float) -> float:
        self._line.send(seconds)
        rate: float = self._line.recv()
        return rate


@contextmanager
def textbook_apart(
    model: ModelConfig, split: Split, batch_size: int, hardware: Hardware
) -> Iterator[_Asked]:
    """The loop in a process of its own: this engine's settings of allocator and libraries are not its.

    Raises:
        EOFError: that process died; what it said is on the terminal.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, model, split, batch_size, hardware))
    process.start()
    theirs.close()  # so that its end is heard here
    try:
        yield _Asked(ours)
    finally:
        ours.close()
        process.join()


def _serve(
    line: Connection, model: ModelConfig, split: Split, batch_size: int, hardware: Hardware
) -> None:
    textbook = Textbook(model, split, batch_size, hardware)
    try:
        while True:
            line.send(textbook.rate(line.recv()))
    except EOFError:  # asked for no more
        return
