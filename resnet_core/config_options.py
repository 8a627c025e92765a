"""The options that describe a run, the same for `train`, `estimate`, depth studies and benchmarks."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from resnet_core.data.catalogue import count_train_images, describe_dataset, list_datasets
from resnet_core.data.commands import describe_prepared, prepare_with_progress
from resnet_core.data.own_images import DEFAULT_SIZE
from resnet_core.data.own_store import PREFIX
from resnet_core.errors import ConfigError
from resnet_core.models.config import ModelConfig, parse_model_name
from resnet_core.options import add_options, given
from resnet_core.runs import commands as runs_commands
from resnet_core.training.config import (
    DATA_FOLDER_HELP,
    RUN_OPTIONS,
    TrainConfig,
    default_data_folder,
)
from resnet_core.training.recipes import (
    RECIPES,
    Recipe,
    find_recipe,
    fit_to_depth,
    fit_to_images,
    from_scratch,
)
from resnet_core.training.start import FoundStart, find_start

RECIPE_OPTIONS = [field.name for field in fields(Recipe) if field.name not in ("name", "source")]


def add_data_folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(),
        help=DATA_FOLDER_HELP,
    )  # fmt: skip


def add_config(parser: argparse.ArgumentParser) -> None:
    """The options that make a TrainConfig, the same for `train` and `estimate`."""
    parser.add_argument(
        "--model", help="such as resnet20_v1, plain56; for photos resnet18, resnet50"
    )
    parser.add_argument(
        "--from", dest="start", metavar="MODEL",
        help="start from its net, normalisation and weights, with a new head: a "
        "model that ships, an imported one, a run, or a .safetensors file",
    )  # fmt: skip
    add_options(parser, TrainConfig, only=["seed"])
    add_setting(parser, with_start=True)
    parser.set_defaults(recipe=None)
    parser.add_argument(
        "--image-size", type=int,
        help="height and width, in pixels, to prepare own images at (default: those of the start, "
        f"else {DEFAULT_SIZE})",
    )  # fmt: skip
    runs_commands.add_runs_folder(parser)


def add_setting(parser: argparse.ArgumentParser, with_start: bool = False) -> None:
    """Those of them that nets and seeds of a study share.

    Args:
        with_start: whether the command can start from trained weights.
    """
    parser.add_argument(
        "--data", default="cifar10",
        help="cifar10, shapes, own/NAME, or a zip, folder or .npz of own images (default: cifar10)",
    )  # fmt: skip
    parser.add_argument(
        "--recipe", default="fast",
        help=f"{', '.join(RECIPES)} (default: fast; with --from finetune)"
        if with_start
        else f"{', '.join(from_scratch())} (default: fast)",
    )  # fmt: skip
    # What studies, whose nets all start at random, don't offer.
    parser.set_defaults(start=None, image_size=None)
    # Not said, a shortcut is the family's own.
    add_options(parser, ModelConfig, only=["shortcut"], unset=True)
    add_options(parser, ModelConfig, only=["gate_bias"])
    add_options(parser, Recipe, only=RECIPE_OPTIONS, unset=True)
    add_options(parser, TrainConfig, only=[name for name in RUN_OPTIONS if name != "seed"])
    add_data_folder(parser)


def config_of(options: argparse.Namespace) -> TrainConfig:
    """The run that the options of `add_config` describe.

    Raises:
        LabError: what is wrong with them, all of it.
    """
    start = find_start(options.start, options.runs) if options.start else None
    model = _chosen_net(options, start)
    recipe = find_recipe(options.recipe or ("finetune" if start else "fast"))
    recipe = recipe.changed(**_given_recipe(options))
    data = _find_data(options, start)
    class_names, image_size = describe_dataset(data, options.data_folder)
    if start:
        model, recipe = start.model_for(class_names, image_size), start.recipe_for(recipe)
        if options.batch_size is None:
            recipe = fit_to_images(recipe, count_train_images(data, options.data_folder))
    return TrainConfig(
        model=replace(model, classes=len(class_names), input_size=image_size),
        data=data,
        recipe=fit_to_depth(recipe, model.depth),
        data_folder=str(options.data_folder),
        start=start.start if start else None,
        **{name: getattr(options, name) for name in RUN_OPTIONS},
    )


def _chosen_net(options: argparse.Namespace, start: FoundStart | None) -> ModelConfig:
    """The net that was named, or that of the start."""
    shortcut = {} if options.shortcut is None else {"shortcut": options.shortcut}
    if start is None:
        if options.model is None:
            raise ConfigError("Name a net with --model, or trained weights with --from.")
        return parse_model_name(options.model, gate_bias=options.gate_bias, **shortcut)
    net = start.header.config
    if options.model not in (None, net.name) or options.shortcut not in (None, net.shortcut):
        raise ConfigError(
            f"The net is that of --from {start.start.name}: {net.name} with shortcut "
            f"{net.shortcut}. Leave --model and --shortcut out."
        )
    return net


def _find_data(options: argparse.Namespace, start: FoundStart | None) -> str:
    """The name of a data set; a path to own images is prepared first."""
    said, folder = options.data, options.data_folder
    if said in list_datasets(folder) or said.startswith(PREFIX) or not Path(said).exists():
        return said
    size = options.image_size or (start.input_size if start else DEFAULT_SIZE)
    prepared = prepare_with_progress(Path(said), folder, size)
    # Where machines read the answer, people read beside it.
    print(describe_prepared(prepared), flush=True, file=sys.stderr if options.json else sys.stdout)
    return prepared.name


def _given_recipe(options: argparse.Namespace) -> dict[str, Any]:
    """The recipe's fields that the command line changes."""
    return {k: v for k, v in given(options, Recipe).items() if k in RECIPE_OPTIONS}
