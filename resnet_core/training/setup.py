"""What a run works with: what stays the same throughout it, and what changes with every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from time import monotonic
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resnet_core.data.dataset import (
    Dataset,
    Split,
    channel_statistics,
    count_held_out,
    hold_out,
    pixel_mean,
)
from resnet_core.models.network import PixelModel
from resnet_core.runs.checkpoint import Progress, load_checkpoint
from resnet_core.runs.folder import RunFolder
from resnet_core.training.compiled_blocks import compile_blocks
from resnet_core.training.config import TrainConfig
from resnet_core.training.cpu_kernels.use import trains_in_chains, use_kernels
from resnet_core.training.distributed import Team
from resnet_core.training.feed import PictureFeed, make_feed
from resnet_core.training.graphed import GraphedStep, can_graph
from resnet_core.training.hardware import Hardware, choose_hardware
from resnet_core.training.kept_memory import keep_what_is_freed
from resnet_core.training.lean_norm import make_lean
from resnet_core.training.optimizers import OptimizerSet, lr_scale, make_optimizers
from resnet_core.training.recipes import Recipe
from resnet_core.training.seeds import fit_seed
from resnet_core.training.start import start_file
from resnet_core.training.transfer import set_modes, start_from


@dataclass(frozen=True)
class Setup:
    """What stays the same throughout a run."""

    config: TrainConfig
    folder: RunFolder
    team: Team
    hardware: Hardware
    train: Split
    validation: Split
    statistics: tuple[Tensor, Tensor]
    """Mean and deviation of the training pixels, as the recipe normalises by them."""
    test: Split
    class_names: tuple[str, ...]
    steps_per_epoch: int
    total_steps: int

    @property
    def recipe(self) -> Recipe:
        return self.config.recipe

    @property
    def global_batch_size(self) -> int:
        """Images in a step, over the whole team."""
        return self.recipe.batch_size * self.team.size

    @property
    def lr_scale(self) -> int:
        return lr_scale(self.recipe, self.team.size)


@dataclass
class Learner:
    """What changes with every step."""

    model: PixelModel
    optimizers: OptimizerSet
    generator: torch.Generator
    feed: PictureFeed
    loss_and_wrong: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    progress: Progress
    graphed: GraphedStep | None = None
    """The same step, recorded for a GPU."""
    gradient_norms: dict[str, float] = field(default_factory=dict)
    """Of the last step that was to be reported."""
    reported_at: float = field(default_factory=monotonic)
    """When a step was last reported, by the monotonic clock: epochs may be shorter than the pause."""
    saved_at: float = float("-inf")
    """When this process wrote the last checkpoint, by the monotonic clock."""


def set_up(config: TrainConfig, dataset: Dataset, folder: RunFolder, team: Team) -> Setup:
    """Split the data, choose the hardware, count the steps.

    Raises:
        LabError: the hardware asked for is not there.
    """
    recipe = config.recipe
    held_out = count_held_out(dataset, recipe.validation_images, config.split_seed)
    steps_per_epoch = max(1, (len(dataset.train) - held_out) // (recipe.batch_size * team.size))
    total_steps = max(1, round(recipe.epochs * steps_per_epoch))
    images = total_steps * recipe.batch_size
    if config.threads:
        torch.set_num_threads(config.threads)
    hardware = choose_hardware(
        config.device,
        config.precision,
        config.compile,
        images_to_compile_for(recipe, images),
        team,
        trains_in_chains(config.model),
    )
    if hardware.device.type == "cpu":
        keep_what_is_freed()
    train, validation, statistics = _prepare(
        dataset, recipe.validation_images, config.split_seed, recipe.normalisation, hardware.device
    )
    return Setup(
        config=config,
        folder=folder,
        team=team,
        hardware=hardware,
        train=train,
        validation=validation,
        statistics=statistics,
        test=dataset.test,
        class_names=dataset.class_names,
        steps_per_epoch=steps_per_epoch,
        total_steps=total_steps,
    )


@lru_cache(maxsize=1)
def _prepare(
    dataset: Dataset, wanted: int, seed: int, normalisation: str, device: torch.device
) -> tuple[Split, Split, tuple[Tensor, Tensor]]:
    """Training and validation images on the device, and the mean and deviation of the former.

    Once for all nets that a process trains on them.
    """
    train, validation = hold_out(dataset, wanted, seed)
    measure = pixel_mean if normalisation == "per_pixel_mean" else channel_statistics
    return train.to(device), validation.to(device), measure(train)


def images_to_compile_for(recipe: Recipe, images: int) -> int:
    """Of a run's images, those whose steps compiling makes faster: a few small layers gain nothing."""
    return images if recipe.train_part == "all" else 0


def make_learner(setup: Setup) -> Learner:
    """The net at its start, seeded or another net's, or as its folder's checkpoint has it.

    Raises:
        RunError: the checkpoint is damaged or belongs to another net, or the start's file is gone.
    """
    recipe, device = setup.recipe, setup.hardware.device
    mean, std = setup.statistics
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(setup.config.seed)
        model = PixelModel(setup.config.model, mean, std)
    is_resumed, start = setup.folder.state_file.exists(), setup.config.start
    if start is not None and not is_resumed:
        start_from(model, start_file(start))
    model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    set_modes(model, recipe)
    optimizers = make_optimizers(recipe, model.network, setup.team.size)
    # Each member augments in its own way; the leader as a process alone does.
    seed = fit_seed(setup.config.seed + setup.team.rank * 1_000_003)
    generator = torch.Generator(device).manual_seed(seed)
    progress = Progress(is_warming_up=recipe.warmup_lr is not None)
    if is_resumed:
        progress = load_checkpoint(
            setup.folder.state_file, model, optimizers.members, generator, setup.team.rank
        )
    if setup.hardware.compiles_blocks:
        compile_blocks(model.network)
    elif setup.hardware.compiled and setup.hardware.precision == "bf16":
        # In fp32 a step's time is the convolutions', and nothing is gained.
        make_lean(model.network)
    if setup.hardware.own_kernels:
        use_kernels(model.network)
    feed = make_feed(model, recipe, setup.train, setup.validation, setup.hardware)
    step = make_loss_function(feed.network, recipe, setup.hardware)
    learner = Learner(model, optimizers, generator, feed, step, progress)
    if setup.team.size == 1 and can_graph(setup.hardware, recipe, feed):
        learner.graphed = GraphedStep(
            model, feed, setup.train.labels, step, optimizers, generator, recipe.batch_size
        )
    return learner


def make_loss_function(
    network: nn.Module, recipe: Recipe, hardware: Hardware
) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(what the feed gives, labels) → (mean loss to differentiate, number of wrong answers)."""

    def loss_and_wrong(inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with hardware.autocast():
            logits = network(inputs)
        # Softmax and its gradient in full precision: bf16 has too few digits for them.
        logits = logits.float()
        loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        return loss, (logits.detach().argmax(1) != labels).sum()

    return cast(Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], hardware.wrap(loss_and_wrong))


def epoch_order(images: int, seed: int, epoch: int) -> Tensor:
    """The order of the images in one epoch (counted from 0): the same for the same seed."""
    # An odd factor keeps (seed, epoch) pairs apart for any number of epochs a person will wait.
    generator = torch.Generator().manual_seed(fit_seed(seed * 1_000_003 + epoch))
    return torch.randperm(images, generator=generator)
