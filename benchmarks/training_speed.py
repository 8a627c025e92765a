"""This engine's training against the textbook loop, in turn in one run, data work included."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from benchmarks.rounds import Comparison
from resnet_core.data.dataset import Dataset, Split
from resnet_core.events import Stepped
from resnet_core.models.config import ModelConfig
from resnet_core.models.network import build_network
from resnet_core.runs.folder import RunFolder
from resnet_core.training.config import TrainConfig
from resnet_core.training.hardware import Hardware, choose_hardware, describe_environment
from resnet_core.training.loop import train
from resnet_core.training.recipes import find_recipe

UNTIMED_TEXTBOOK_STEPS = 8  # at least what two workers prefetch while they wait for their turn
UNTIMED_EVENTS = 2


class TextbookImages(TorchDataset):
    """Images one at a time through torchvision's transforms, as tutorials do."""

    def __init__(self, split: Split):
        self.images = split.images.numpy()
        self.labels = split.labels.tolist()
        self.transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(32, padding=4),
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
    model: ModelConfig, split: Split, batch_size: int, device: torch.device
) -> Iterator[None]:
    """fp32, NCHW, eager, a DataLoader with two workers: one step for each `next`, for ever.

    Net and batches are moved to `device` as tutorials do it, a plain `.to`.
    """
    network = build_network(model).train().to(device)
    optimizer = torch.optim.SGD(
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


def engine_events(
    model: ModelConfig, dataset: Dataset, recipe: str, folder: Path
) -> Iterator[Stepped]:
    """The product's own training, as a person would start it: its progress events."""
    config = TrainConfig(model, dataset.name, find_recipe(recipe), data_folder="")
    for event in train(config, dataset, RunFolder(folder)):
        if isinstance(event, Stepped):
            yield event


def compare_training(
    model: ModelConfig, dataset: Dataset, recipe: str, rounds: int, seconds: float
) -> dict[str, Any]:
    """Time both in turn and report images/s and their ratio, each round's and the median.

    Both run on the device that this engine chooses here. Warm-up (compiling and the first steps) is timed apart and reported.
    """
    batch_size = find_recipe(recipe).batch_size
    images = round(find_recipe(recipe).epochs * len(dataset.train))
    hardware = choose_hardware("auto", "auto", "auto", images)
    textbook = textbook_steps(model, dataset.train, batch_size, hardware.device)
    ours, theirs = [], []
    with tempfile.TemporaryDirectory(prefix="resnet-lab-") as folder:
        began = perf_counter()
        engine = engine_events(model, dataset, recipe, Path(folder))
        next(engine)
        warm_up_seconds = perf_counter() - began
        for _ in range(rounds):
            theirs.append(batch_size * _textbook_rate(textbook, seconds, hardware))
            ours.append(batch_size * _engine_rate(engine, seconds))
        engine.close()  # type: ignore[attr-defined]
    return {
        "benchmark": "training",
        "model": model.name,
        "data": dataset.name,
        "batch_size": batch_size,
        **Comparison(tuple(ours), tuple(theirs)).to_dict("images_per_second"),
        "warm_up_seconds": warm_up_seconds,
        "environment": describe_environment(hardware),
    }


def _textbook_rate(steps: Iterator[None], seconds: float, hardware: Hardware) -> float:
    for _ in range(UNTIMED_TEXTBOOK_STEPS):
        next(steps)
    hardware.synchronise()  # a GPU's steps are only queued when `next` returns
    began, done = perf_counter(), 0
    while perf_counter() - began < seconds:
        next(steps)
        done += 1
    hardware.synchronise()
    return done / (perf_counter() - began)


def _engine_rate(events: Iterator[Stepped], seconds: float) -> float:
    for _ in range(UNTIMED_EVENTS):
        first = next(events)
    began = perf_counter()
    last = next(events)
    while perf_counter() - began < seconds:
        last = next(events)
    return (last.step - first.step) / (perf_counter() - began)
