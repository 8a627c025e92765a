"""Recipes, schedules and optimisers against the papers' numbers and plain re-statements of them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from resnet_core.errors import ConfigError
from resnet_core.models.config import parse_model_name
from resnet_core.models.network import Network
from resnet_core.training.config import TrainConfig
from resnet_core.training.hardware import choose_hardware
from resnet_core.training.muon import ITERATIONS, QUINTIC, Muon, orthogonalise
from resnet_core.training.optimizers import make_optimizers
from resnet_core.training.recipes import (
    RECIPES,
    Recipe,
    find_recipe,
    fitting_batch_size,
    from_scratch,
)
from resnet_core.training.schedules import lr_share_at
from resnet_core.training.setup import epoch_order, make_loss_function

ROOT = Path(__file__).resolve().parents[2]


def test_paper_recipe_is_section_4_2() -> None:
    recipe = find_recipe("paper")
    assert (recipe.batch_size, recipe.lr, recipe.momentum, recipe.weight_decay) == (
        128,
        0.1,
        0.9,
        1e-4,
    )
    steps = round(recipe.epochs * (45_000 // 128))
    assert steps == 64_000
    lrs = [
        recipe.lr * lr_share_at(recipe, step / steps)
        for step in (0, 31_999, 32_000, 47_999, 48_000, 63_999)
    ]
    assert lrs == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def keras_lr(epoch: int) -> float:
    """The Keras example's schedule, from its description; epochs counted from zero."""
    for after, factor in ((180, 0.5e-3), (160, 1e-3), (120, 1e-2), (80, 1e-1)):
        if epoch > after:
            return 1e-3 * factor
    return 1e-3


def test_tutorial_schedule_is_the_keras_examples() -> None:
    recipe, steps_per_epoch = find_recipe("tutorial"), 1406
    assert recipe.batch_size == 32 and recipe.epochs == 200 and recipe.optimizer == "adam"
    total = 200 * steps_per_epoch
    for epoch in range(200):
        for step in (epoch * steps_per_epoch, (epoch + 1) * steps_per_epoch - 1):
            assert recipe.lr * lr_share_at(recipe, step / total) == pytest.approx(keras_lr(epoch))


def test_tutorial_l2_is_the_gradient_of_the_keras_loss_term() -> None:
    """One Adam step with our weight decay equals one with 1e-4 * sum(w^2) in the loss."""
    torch.manual_seed(0)
    recipe = find_recipe("tutorial")
    ours = Network(parse_model_name("resnet8_v1", shortcut="tutorial")).double()
    theirs = Network(parse_model_name("resnet8_v1", shortcut="tutorial")).double()
    theirs.load_state_dict(ours.state_dict())
    x, y = torch.randn(8, 3, 32, 32).double(), torch.arange(8)
    optimizers = make_optimizers(recipe, ours)
    F.cross_entropy(ours(x), y).backward()
    optimizers.step()
    adam = torch.optim.Adam(theirs.parameters(), lr=1e-3, eps=1e-7)
    l2 = sum(m.weight.square().sum() for m in theirs.modules() if isinstance(m, nn.Conv2d))
    (F.cross_entropy(theirs(x), y) + 1e-4 * l2).backward()
    adam.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)


def test_one_cycle_rises_then_falls_to_zero() -> None:
    recipe = find_recipe("fast")
    shares = [lr_share_at(recipe, i / 1000) for i in range(1001)]
    peak = shares.index(max(shares))
    assert peak / 1000 == pytest.approx(recipe.warmup_share, abs=2e-3)
    assert shares[0] == 0 and shares[-1] == pytest.approx(0) and max(shares) == pytest.approx(1)
    assert all(a >= b for a, b in zip(shares[peak:], shares[peak + 1 :], strict=False))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_moves_every_parameter_once(name: str) -> None:
    net = Network(parse_model_name("highway8"))
    optimizers = make_optimizers(find_recipe(name), net)
    owned = [id(p) for o in optimizers.members for g in o.param_groups for p in g["params"]]
    assert sorted(owned) == sorted(id(p) for p in net.parameters())
    decayed = {
        id(p)
        for o in optimizers.members
        for g in o.param_groups
        if g.get("weight_decay")
        for p in g["params"]
    }
    norms = {id(p) for m in net.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters()}
    assert bool(decayed & norms) == (find_recipe(name).decay == "all")


def test_muon_leaves_gates_to_sgd() -> None:
    net = Network(parse_model_name("highway8"))
    muon = make_optimizers(find_recipe("fast"), net).members[1]
    turned = {id(p) for g in muon.param_groups for p in g["params"]}
    gates = {id(m.gate.weight) for m in net.modules() if hasattr(m, "gate")}
    assert isinstance(muon, Muon) and gates and not gates & turned


@pytest.mark.parametrize("shape", [(16, 27), (64, 576), (64, 16)])
def test_orthogonalise_keeps_singular_vectors_and_flattens_values(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(2, *shape)
    out = orthogonalise(matrix, iterations=5)
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    inner = u.mT @ out @ vh.mT  # diagonal if the singular vectors are kept
    values = inner.diagonal(dim1=1, dim2=2)
    assert (inner - torch.diag_embed(values)).abs().max() < 1e-4
    assert values.min() > 0.3 and values.max() < 1.3


@pytest.mark.parametrize("shape", [(16, 27), (64, 576), (64, 16)])
@pytest.mark.parametrize("spread", [1, 1e6])
def test_orthogonalise_is_the_iteration_as_it_is_written(
    shape: tuple[int, int], spread: float
) -> None:
    """X to aX + (bG + cGG)X, G = XX^T; also where the smallest singular values are near nothing."""
    torch.manual_seed(0)
    u, values, vh = torch.linalg.svd(torch.randn(2, *shape), full_matrices=False)
    matrix = u * (values * torch.logspace(0, -math.log10(spread), min(shape)))[:, None] @ vh
    a, b, c = QUINTIC
    x = matrix.double() / matrix.double().flatten(1).norm(dim=1)[:, None, None]
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    torch.testing.assert_close(orthogonalise(matrix).double(), x, rtol=0, atol=1e-5)


def test_muon_step_is_its_formula_and_keeps_the_norm() -> None:
    torch.manual_seed(0)
    kernels = [nn.Parameter(torch.randn(8, 4, 3, 3)), nn.Parameter(torch.randn(8, 4, 3, 3))]
    start = [k.detach().clone() for k in kernels]
    optimizer = Muon(kernels, lr=0.05, momentum=0.9)
    for kernel in kernels:
        kernel.grad = torch.randn_like(kernel)
    gradients = [k.grad.clone() for k in kernels if k.grad is not None]
    optimizer.step()
    for kernel, before, gradient in zip(kernels, start, gradients, strict=True):
        direction = orthogonalise((gradient + 0.9 * gradient).flatten(1)[None])[0].view_as(before)
        expected = before * math.sqrt(8) / before.norm() - 0.05 * direction
        torch.testing.assert_close(kernel.detach(), expected)


def test_bad_recipes_name_every_problem() -> None:
    with pytest.raises(ConfigError) as caught:
        find_recipe("fast").changed(epochs=0, batch_size=0, lr=-1.0, augmentation="blur")
    assert len(caught.value.problems) == 4
    with pytest.raises(ConfigError, match="paper, tutorial, fast, taste"):
        find_recipe("slow")
    with pytest.raises(ConfigError, match="validation images"):
        find_recipe("tutorial").changed(validation_images=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"momentum": 1.5}, "not 1.5"), ({"momentum": 1.0}, "0 to below 1"), ({"momentum": -0.1}, "not -0.1"),
        ({"momentum": 0.0}, "turn Nesterov off"), ({"momentum": 0.0, "optimizer": "sgd"}, "turn Nesterov off"),
        ({"warmup_share": 1.0}, "0 to below 1, not 1"), ({"warmup_share": -3.0}, "not -3"),
        ({"muon_lr": -1.0}, "above 0, not -1"), ({"muon_lr": 0.0}, "above 0, not 0"),
        ({"warmup_lr": 0.0}, "above 0, not 0"), ({"warmup_lr": -0.1}, "above 0, not -0.1"),
        ({"drop_points": (2.0, -1.0), "drop_factors": (0.1, 0.01)}, "not 2, -1"),
        ({"drop_points": (0.5, 0.5), "drop_factors": (0.1, 0.01)}, "not 0.5, 0.5"),
        ({"drop_points": (0.5,), "drop_factors": (-0.1,)}, "found -0.1"),
    ],
)  # fmt: skip
def test_numbers_that_no_run_can_use_are_refused(changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        find_recipe("fast").changed(**changes)
    assert len(caught.value.problems) == 1


def test_all_of_them_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        find_recipe("fast").changed(
            momentum=1.5, muon_lr=-1.0, warmup_share=-3.0, warmup_lr=0.0, drop_points=(2.0, -1.0)
        )
    assert len(caught.value.problems) == 6  # and the points have no factors


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "sgd", "momentum": 0.0, "nesterov": False},
        {"optimizer": "muon", "momentum": 0.0, "nesterov": False},
        {"optimizer": "sgd", "momentum": math.ulp(0.0)}, {"optimizer": "adam", "momentum": 0.0},
        {"warmup_share": 0.0}, {"warmup_share": math.nextafter(1.0, 0.0)},
        {"schedule": "drops", "drop_points": (0.0, 1.0), "drop_factors": (0.5, 0.0)},
    ],
)  # fmt: skip
def test_numbers_at_the_limits_can_be_used(changes: dict) -> None:
    recipe = find_recipe("fast").changed(**changes)
    optimizers = make_optimizers(recipe, Network(parse_model_name("plain8")))
    for progress in (0.0, 0.5, 1.0):  # the last step is reported with the rate after it
        optimizers.set_share(lr_share_at(recipe, progress))


def test_what_ships_can_still_be_read() -> None:
    stored = [*ROOT.glob("zoo/*/card.json"), *ROOT.glob("studies/*/*/config.json")]
    assert len(stored) > 30
    for file in stored:
        Recipe.from_dict(json.loads(file.read_text(encoding="utf-8"))["recipe"])


def test_each_epoch_sees_every_image_once_in_its_own_order() -> None:
    first, second = epoch_order(50, 1, 0), epoch_order(50, 1, 1)
    assert sorted(first.tolist()) == list(range(50)) == sorted(second.tolist())
    assert first.tolist() != second.tolist()
    assert first.tolist() == epoch_order(50, 1, 0).tolist()


SEED_LIMIT = 2**63  # of a run's config


@pytest.mark.parametrize("seed", [20261123142233, SEED_LIMIT - 1, -SEED_LIMIT, -(10**13)])
def test_any_seed_that_a_run_may_have_gives_every_epoch_an_order(seed: int) -> None:
    first, second = epoch_order(50, seed, 0), epoch_order(50, seed, 1)
    assert sorted(first.tolist()) == list(range(50)) == sorted(second.tolist())
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("seed", [0, 1, -1, 12345, -(9 * 10**12), 9 * 10**12, 18 * 10**12])
def test_seeds_that_pytorch_takes_give_the_orders_they_gave(seed: int) -> None:
    """As the first versions drew them, whose runs are resumed and reproduced."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + 4)
    assert epoch_order(50, seed, 4).tolist() == torch.randperm(50, generator=generator).tolist()


def test_loss_is_cross_entropy_with_smoothing() -> None:
    torch.manual_seed(0)
    net = Network(parse_model_name("plain8")).eval()
    x, y = torch.randn(4, 3, 32, 32), torch.tensor([0, 1, 2, 3])
    hardware = choose_hardware("cpu", "fp32", "off", 0)
    loss, wrong = make_loss_function(
        net, find_recipe("fast").changed(label_smoothing=0.1), hardware
    )(x, y)
    log_p = net(x).log_softmax(1)
    target = torch.full((4, 10), 0.01)
    target[range(4), y] += 0.9
    torch.testing.assert_close(loss, -(target * log_p).sum(1).mean())
    assert wrong.item() == (net(x).argmax(1) != y).sum().item()


def test_hardware_choices_that_do_not_exist_are_refused_together() -> None:
    with pytest.raises(ConfigError) as caught:
        choose_hardware("tpu", "fp8", "maybe", 0)
    assert len(caught.value.problems) == 3


def test_a_highway_net_of_56_layers_learns() -> None:
    """Its gates let the gradient through: it memorises a few pictures in a few steps."""
    torch.manual_seed(0)
    recipe = find_recipe("fast")
    net = Network(parse_model_name("highway56")).train()
    optimizers = make_optimizers(recipe, net)
    optimizers.set_share(0.5)
    hardware = choose_hardware("cpu", "fp32", "off", 0)
    loss_and_wrong = make_loss_function(net, recipe.changed(label_smoothing=0.0), hardware)
    x, y = torch.randn(16, 3, 32, 32), torch.arange(16) % 10
    losses = []
    for _ in range(25):
        optimizers.zero_grad()
        loss, _ = loss_and_wrong(x, y)
        loss.backward()
        optimizers.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("images", "wanted", "fits"),
    [(45_000, 128, 128), (200, 128, 8), (19, 128, 8), (5, 128, 4), (1000, 128, 32), (200, 4, 4)],
)
def test_small_sets_get_small_steps(images: int, wanted: int, fits: int) -> None:
    assert fitting_batch_size(images, wanted) == fits


def test_recipes_that_need_trained_weights_are_not_offered_where_there_are_none() -> None:
    assert "finetune" not in from_scratch() and "taste" in from_scratch()
    for name in from_scratch():
        TrainConfig(parse_model_name("plain8"), "shapes", find_recipe(name), "")
    for name in RECIPES.keys() - from_scratch():
        with pytest.raises(ConfigError, match="alone needs trained weights"):
            TrainConfig(parse_model_name("plain8"), "shapes", find_recipe(name), "")
