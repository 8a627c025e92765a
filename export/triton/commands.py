"""The commands of `python -m export` for NVIDIA Triton."""

from __future__ import annotations

import argparse
from pathlib import Path

from export.triton.settings import ServingSettings
from resnet_core.console import Commands
from resnet_core.options import add_options, given


def add_triton_commands(commands: Commands[argparse.ArgumentParser]) -> None:
    triton = commands.add_parser("triton", help="write a model repository for NVIDIA Triton")
    triton.add_argument("model", help="exported model by name, or an ONNX file")
    triton.add_argument("--out", type=Path, required=True, metavar="REPO", help="the repository")
    triton.add_argument("--name", help="the model's name on the server (default: its own)")
    triton.add_argument("--force", action="store_true", help="replace a model of that name")
    add_options(triton, ServingSettings)
    triton.set_defaults(execute=_triton)

    check = commands.add_parser("triton-check", help="say what is wrong with a model repository")
    check.add_argument("repository", type=Path, metavar="REPO")
    check.set_defaults(execute=_check)


def _triton(options: argparse.Namespace) -> int:
    from export.catalogue import find_exported
    from export.session import OnnxSession
    from export.triton.repository import write_model

    settings = ServingSettings(**given(options, ServingSettings))
    found = find_exported(options.model)
    facts = OnnxSession(found.file, "cpu").facts
    # A file's own name is most often just "model".
    own_name = facts.name if Path(options.model) == found.file else found.name
    folder = write_model(found.file, options.name or own_name, options.out, settings, options.force)
    print(
        f"{folder}: {len(facts.class_names)} classes, batches up to {settings.max_batch_size}, "
        f"{settings.engine} on a {settings.serves_on.upper()}; checked"
    )
    return 0


def _check(options: argparse.Namespace) -> int:
    from export.triton.check import check_repository

    for name in check_repository(options.repository):
        print(f"{name}: sound")
    return 0
