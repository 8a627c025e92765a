"""Is a folder a Triton model repository that a server can load? Every problem, one sentence each.

Knows nothing of the writer: it reads the configuration as protobuf text and asks ONNX Runtime
what the model file takes and gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from export.session import OnnxSession
from export.triton.check_config import check_config, check_tensors
from export.triton.schema import parse_config
from resnet_core.errors import ConfigError, ModelError

CONFIG_FILE = "config.pbtxt"
OTHER_FOLDERS = ("configs", "warmup")  # those that Triton itself gives a meaning


def check_repository(repository: Path) -> list[str]:
    """The names of the models in a repository, all of them sound.

    Raises:
        ModelError: it is not a folder, or has no model in it.
        ConfigError: something in it is wrong; every problem at once.
    """
    if not repository.is_dir():
        raise ModelError(f"There is no model repository at {repository}: check the path.")
    # Triton takes every folder for a model, whatever it is called.
    folders = sorted(folder for folder in repository.iterdir() if folder.is_dir())
    if not folders:
        raise ModelError(
            f"{repository} has no model folder: put one there with `python -m export triton`."
        )
    problems = [
        f"{folder.name}: {problem}" for folder in folders for problem in check_model(folder)
    ]
    if problems:
        raise ConfigError(problems)
    return [folder.name for folder in folders]


def check_model(folder: Path) -> list[str]:
    """What is wrong with one model's folder; empty where nothing is."""
    file = folder / CONFIG_FILE
    if not file.is_file():
        return [f"There is no {CONFIG_FILE}."]
    try:
        config = parse_config(file.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        return [f"{CONFIG_FILE} is not UTF-8 text."]
    except ModelError as error:
        return [str(error)]
    return [
        *_check_name(config, folder),
        *check_config(config),
        *_check_versions(config, folder),
        *_check_label_files(config, folder),
    ]


def _check_name(config: Any, folder: Path) -> Iterator[str]:
    if config.name not in ("", folder.name):
        yield f"The name in {CONFIG_FILE} is '{config.name}', but should be that of the folder."


def _check_versions(config: Any, folder: Path) -> Iterator[str]:
    versions = []
    for version in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        if version.name.isdecimal() and not version.name.startswith("0"):
            versions.append(version)
        elif version.name not in OTHER_FOLDERS:
            yield f"The folder '{version.name}' is no version: expected a whole number from 1."
    if not versions:
        yield "There is no version folder: expected one named 1 with the model file in it."
    for version in versions:
        yield from _check_version(config, version)


def _check_version(config: Any, version: Path) -> Iterator[str]:
    name = config.default_model_filename or "model.onnx"
    if not _is_plain(name):
        yield f"default_model_filename '{name}' leads out of the version's folder."
        return
    try:
        session = OnnxSession(version / name, "cpu")
        class_names = session.facts.class_names
    except ModelError as error:
        yield str(error)
        return
    yield from check_tensors(config.input, session.inputs, "input", version.name)
    yield from check_tensors(config.output, session.outputs, "output", version.name)
    for output in config.output:
        labels = _labels(version.parent, output.label_filename)
        if labels is not None and labels != class_names:
            yield (
                f"{output.label_filename} of '{output.name}' does not list the "
                f"{len(class_names)} classes of version {version.name}'s file, in their order."
            )


def _check_label_files(config: Any, folder: Path) -> Iterator[str]:
    for output in config.output:
        name, width = output.label_filename, output.dims[-1] if output.dims else 0
        labels = _labels(folder, name)
        if name and labels is None:
            yield f"'{output.name}' names {name} for its labels, but there is no such text file."
        elif labels is not None and len(labels) != width:
            yield f"{name} has {len(labels)} labels, but '{output.name}' has {width} values."


def _labels(folder: Path, name: str) -> tuple[str, ...] | None:
    """The lines of a label file; None where there is none that can be read."""
    if not name or not _is_plain(name):
        return None
    try:
        text = (folder / name).read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    # Triton ends a label at a line feed and nowhere else.
    return tuple(text.removesuffix("\n").split("\n"))


def _is_plain(name: str) -> bool:
    return Path(name).name == name and "\0" not in name
