"""The training loop: a generator of events that can be stopped and resumed at any step.

A resumed run on a CPU is bit-identical to an unbroken one: the order of images depends on seed
and epoch alone, augmentation draws from a generator that the checkpoint holds, and the sums an
epoch reports are part of the checkpoint too.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from math import isfinite
from time import monotonic

import torch
from torch import Tensor

from resnet_core.data.dataset import Dataset
from resnet_core.errors import LabError
from resnet_core.events import (
    EpochFinished,
    Event,
    Finished,
    Prepared,
    Started,
    Stepped,
    Stopped,
)
from resnet_core.models.saved import load_model, save_model
from resnet_core.runs.checkpoint import Progress, save_checkpoint
from resnet_core.runs.folder import RunFolder
from resnet_core.training.config import TrainConfig
from resnet_core.training.distributed import ALONE, Team
from resnet_core.training.evaluate import Score, evaluate
from resnet_core.training.feed import FeatureFeed
from resnet_core.training.gradients import gradient_norms
from resnet_core.training.schedules import lr_share_at
from resnet_core.training.setup import Learner, Setup, epoch_order, make_learner, set_up

STEP_EVENT_EVERY_SECONDS = 1.0
WARMUP_CHECK_EVERY_STEPS = 50
LEAST_SECONDS_BETWEEN_CHECKPOINTS = 1.0


def train(
    config: TrainConfig, dataset: Dataset, folder: RunFolder, team: Team = ALONE
) -> Iterator[Event]:
    """Train one net in its run folder, from the start or from its checkpoint.

    All members of a team run this side by side; only its leader writes.

    Yields:
        Started, Prepared where features are computed, then Stepped about once a second and EpochFinished, and at last Stopped or
        Finished. A checkpoint is on disk before Stopped, and after each epoch of a second or more.

    Raises:
        LabError: the loss left the finite numbers; the checkpoint before that stands.
    """
    setup = set_up(config, dataset, folder, team)
    learner = make_learner(setup)
    yield Started(
        step=learner.progress.step,
        total_steps=setup.total_steps,
        steps_per_epoch=setup.steps_per_epoch,
        train_images=len(setup.train),
        validation_images=len(setup.validation),
        device=str(setup.hardware.device),
        precision=setup.hardware.precision,
        compiled=setup.hardware.compiled,
        own_kernels=setup.hardware.own_kernels,
        devices=team.size,
        global_batch_size=setup.global_batch_size,
        lr_scale=setup.lr_scale,
        learns=_describe_learning(setup, learner),
    )
    if config.start is not None and not folder.state_file.exists():
        _save_state(setup, learner)  # from here on the run needs nothing of its start
    if isinstance(learner.feed, FeatureFeed):
        yield _prepare(setup, learner)
    while learner.progress.step < setup.total_steps:
        is_stopped = yield from _train_epoch(setup, learner)
        if _stands_at_epoch_end(setup, learner.progress):
            # The event first: a kill between the two repeats the epoch's last steps and event.
            yield _end_epoch(setup, learner)
        if _is_checkpoint_due(setup, learner, is_stopped):
            _checkpoint(setup, learner)
        if is_stopped and learner.progress.step < setup.total_steps:
            yield Stopped(step=learner.progress.step)
            return
    yield _finish(setup, learner)


def _prepare(setup: Setup, learner: Learner) -> Prepared:
    """Compute the features that the steps work on; timed apart, as it is no part of any step."""
    began_at = monotonic()
    learner.feed.prepare()
    setup.hardware.synchronise()
    seconds = monotonic() - began_at
    progress = learner.progress
    learner.progress = replace(progress, prepare_seconds=progress.prepare_seconds + seconds)
    return Prepared(step=progress.step, seconds=seconds)


def _train_epoch(setup: Setup, learner: Learner) -> Generator[Stepped, None, bool]:
    """Run to the end of the epoch, or until a stop is asked for; keeps sums in `progress`.

    Returns:
        Whether a stop was asked for.
    """
    recipe, start = setup.recipe, learner.progress
    epoch = start.step // setup.steps_per_epoch
    end = min((epoch + 1) * setup.steps_per_epoch, setup.total_steps)
    order = epoch_order(len(setup.train), setup.config.seed, epoch).to(setup.hardware.device)
    loss_sum = torch.tensor(start.epoch_loss_sum, dtype=torch.float64, device=order.device)
    wrong = torch.tensor(start.epoch_wrong, device=order.device)
    began_at = saved_at = monotonic()

    def remember(step: int) -> None:
        setup.hardware.synchronise()
        # A sum stays infinite or NaN once it is: no step in between escapes.
        _check_finite(setup, loss_sum.item(), step)
        learner.progress = replace(
            learner.progress,
            step=step,
            epoch_loss_sum=loss_sum.item(),
            epoch_wrong=int(wrong.item()),
            train_seconds=start.train_seconds + monotonic() - began_at,
        )

    for step in range(start.step, end):
        position = step % setup.steps_per_epoch
        chosen = setup.team.own_share(order, position, recipe.batch_size)
        now = monotonic()
        # Before the step, whose gradient is measured before the optimiser moves.
        is_reported, is_saved, is_stopped = setup.team.decide(
            now - learner.reported_at >= STEP_EVENT_EVERY_SECONDS,
            now - saved_at >= setup.config.checkpoint_seconds,
            setup.folder.stop_file.exists(),
        )
        if is_reported:
            learner.reported_at = now
        loss, mistakes = _take_step(setup, learner, chosen, step, is_reported or step + 1 == end)
        loss_sum += loss
        wrong += mistakes
        if learner.progress.is_warming_up and (step + 1) % WARMUP_CHECK_EVERY_STEPS == 0:
            error_percent = 100 * int(wrong.item()) / ((position + 1) * setup.global_batch_size)
            still = error_percent >= recipe.warmup_until_error_percent
            learner.progress = replace(learner.progress, is_warming_up=still)
        if is_reported:
            remember(step + 1)
            yield _step_event(setup, learner, start, monotonic() - began_at)
        if is_stopped:
            break
        # Never at the end of an epoch, which has its own checkpoint once it is measured.
        if is_saved and step + 1 < end:
            saved_at = now
            remember(step + 1)
            paused_at = monotonic()
            _checkpoint(setup, learner)
            began_at += monotonic() - paused_at  # it is no time of training
    remember(step + 1)
    return is_stopped


def _take_step(
    setup: Setup, learner: Learner, chosen: Tensor, step: int, measures_gradient: bool
) -> tuple[Tensor, Tensor]:
    """One optimiser step, on this process's images: mean loss and wrong answers of the team."""
    learner.optimizers.set_share(_lr_share(setup, learner, step))
    if learner.graphed is not None:
        loss, mistakes = learner.graphed.take(chosen)
        if measures_gradient:
            _measure_gradient(setup, learner, step)
        return loss, mistakes
    inputs = learner.feed.take(chosen, learner.generator)
    learner.optimizers.zero_grad()
    loss, mistakes = learner.loss_and_wrong(inputs, setup.train.labels[chosen])
    loss.backward()  # type: ignore[no-untyped-call]
    loss, mistakes = setup.team.join_step(learner.model.network, loss.detach(), mistakes)
    if measures_gradient:
        _measure_gradient(setup, learner, step)
    learner.optimizers.step()
    return loss, mistakes


def _measure_gradient(setup: Setup, learner: Learner, step: int) -> None:
    learner.gradient_norms = gradient_norms(learner.model.network)
    _check_finite(setup, sum(learner.gradient_norms.values()), step + 1)


def _check_finite(setup: Setup, value: float, step: int) -> None:
    """Raises LabError where the loss, or what it makes of the weights, is NaN or infinite."""
    if not isfinite(value):
        raise LabError(
            f"The loss is no longer a finite number at step {step:,}: lower the learning rate "
            f"(--lr, here {setup.recipe.lr:g}) and start a new run."
        )


def _stands_at_epoch_end(setup: Setup, progress: Progress) -> bool:
    return progress.step == setup.total_steps or progress.step % setup.steps_per_epoch == 0


def _lr_share(setup: Setup, learner: Learner, step: int) -> float:
    if learner.progress.is_warming_up and setup.recipe.warmup_lr is not None:
        return setup.recipe.warmup_lr / setup.recipe.lr
    return lr_share_at(setup.recipe, step / setup.total_steps)


def _epoch_means(setup: Setup, progress: Progress) -> tuple[float, float]:
    """Mean loss and error in percent over the steps of this epoch that were not yet reported."""
    begin = (progress.step - 1) // setup.steps_per_epoch * setup.steps_per_epoch
    steps = progress.step - max(begin, progress.measured_at_step)
    images = steps * min(setup.global_batch_size, len(setup.train))
    return progress.epoch_loss_sum / steps, 100 * progress.epoch_wrong / images


def _step_event(setup: Setup, learner: Learner, start: Progress, seconds: float) -> Stepped:
    progress = learner.progress
    loss, error = _epoch_means(setup, progress)
    steps_per_second = (progress.step - start.step) / seconds
    return Stepped(
        step=progress.step,
        total_steps=setup.total_steps,
        epoch=(progress.step - 1) // setup.steps_per_epoch + 1,
        lr=setup.recipe.lr * setup.lr_scale * _lr_share(setup, learner, progress.step),
        train_loss=loss,
        train_error_percent=error,
        images_per_second=steps_per_second * setup.global_batch_size,
        eta_seconds=(setup.total_steps - progress.step) / steps_per_second,
        gradient_norms=learner.gradient_norms,
    )


def _end_epoch(setup: Setup, learner: Learner) -> EpochFinished:
    """Measure on the validation images and keep the weights if they are the best so far."""
    progress = learner.progress
    train_loss, train_error = _epoch_means(setup, progress)
    epoch = (progress.step - 1) // setup.steps_per_epoch + 1
    feed = learner.feed
    score = evaluate(feed.examined, feed.validation, setup.hardware) if feed.validation else None
    if score is not None:
        _check_finite(setup, score.loss, progress.step)
    best = progress.best_validation_error_percent
    if score is not None and (best is None or score.error_percent < best):
        if setup.team.is_leader:
            save_model(setup.folder.best_model_file, learner.model, setup.class_names)
        progress = replace(
            progress, best_validation_error_percent=score.error_percent, best_epoch=epoch
        )
    learner.progress = replace(
        progress, epoch_loss_sum=0.0, epoch_wrong=0, measured_at_step=progress.step
    )
    return EpochFinished(
        epoch=epoch,
        step=progress.step,
        lr=setup.recipe.lr * setup.lr_scale * _lr_share(setup, learner, progress.step - 1),
        train_loss=train_loss,
        train_error_percent=train_error,
        validation_loss=score.loss if score else None,
        validation_error_percent=score.error_percent if score else None,
        images_per_second=progress.step * setup.global_batch_size / progress.train_seconds,
        train_seconds=progress.train_seconds,
        eta_seconds=(setup.total_steps - progress.step) * progress.train_seconds / progress.step,
        gradient_norms=learner.gradient_norms,
    )


def _is_checkpoint_due(setup: Setup, learner: Learner, is_stopped: bool) -> bool:
    """After every epoch, but not again within a second: the epochs of a head alone are shorter."""
    is_last = is_stopped or learner.progress.step == setup.total_steps
    seconds = monotonic() - learner.saved_at
    return setup.team.decide(is_last or seconds >= LEAST_SECONDS_BETWEEN_CHECKPOINTS)[0]


def _checkpoint(setup: Setup, learner: Learner) -> None:
    learner.saved_at = monotonic()
    _save_state(setup, learner)
    if setup.team.is_leader:
        save_model(setup.folder.last_model_file, learner.model, setup.class_names)


def _save_state(setup: Setup, learner: Learner) -> None:
    generator_states = setup.team.gather(learner.generator.get_state())
    if setup.team.is_leader:
        save_checkpoint(
            setup.folder.state_file,
            learner.model,
            learner.optimizers.members,
            generator_states,
            learner.progress,
        )


def _describe_learning(setup: Setup, learner: Learner) -> str:
    """What learns, in words, where not all of the net does."""
    part = setup.recipe.train_part
    if part == "all":
        return ""
    how = "computed once" if isinstance(learner.feed, FeatureFeed) else "computed in every step"
    return f"{part.replace('_', ' ')} alone, on features {how}"


def _finish(setup: Setup, learner: Learner) -> Finished:
    """Read the test split, once, with the weights the recipe keeps."""
    progress, model = learner.progress, learner.model
    keeps_best = setup.recipe.keep == "best"
    if keeps_best:
        model = load_model(setup.folder.best_model_file).model.to(setup.hardware.device)
    # In fp32, whatever it was trained in: that is what an exported model computes.
    fp32 = replace(setup.hardware, precision="fp32")
    with fp32.exact():
        score: Score = evaluate(model, setup.test.to(fp32.device), fp32)
    _check_finite(setup, score.loss, progress.step)
    return Finished(
        step=progress.step,
        kept_epoch=progress.best_epoch
        if keeps_best
        else (progress.step - 1) // setup.steps_per_epoch + 1,
        test_loss=score.loss,
        test_error_percent=score.error_percent,
        train_seconds=progress.train_seconds,
        majority_error_percent=_majority_error_percent(setup),
        prepare_seconds=progress.prepare_seconds,
    )


def _majority_error_percent(setup: Setup) -> float:
    """The test error, in percent, of always guessing the class with the most training images."""
    commonest = torch.bincount(setup.train.labels.cpu()).argmax()
    return 100 * float((setup.test.labels.cpu() != commonest).double().mean())
