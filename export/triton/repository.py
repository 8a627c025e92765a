"""Writing a model into a Triton model repository: whole and checked, or not at all.

`REPO/<name>/config.pbtxt`, `REPO/<name>/labels.txt` and `REPO/<name>/1/model.onnx`, which is the
exported file byte for byte.
"""

from __future__ import annotations

import re
from pathlib import Path

from export.session import OnnxSession
from export.triton.check import CONFIG_FILE, check_repository
from export.triton.config_text import LABELS_FILE, MODEL_FILE, config_text
from export.triton.settings import ServingSettings
from export.triton.signature import read_signature
from resnet_core.errors import ConfigError, LabError, ModelError
from resnet_core.files import replace_file, write_text
from resnet_core.folders import swap_in, workshop

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
VERSION = "1"


def write_model(
    file: Path, name: str, repository: Path, settings: ServingSettings, replace: bool = False
) -> Path:
    """Put an exported model into a repository, made where there is none; returns its folder.

    Args:
        file: a stand-alone ONNX file of this app.
        name: the model's name on the server, and its folder.
        replace: take the place of a model of that name.

    Raises:
        ConfigError: the name can't be one, or what was written does not pass the check.
        ModelError: the file is not such a model, or there is a model of that name already.
        LabError: the repository can't be written.
    """
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"'{name}' can't be a model's name on a server: use letters, digits, _, . and -, "
            "beginning with a letter or digit."
        )
    target = repository / name
    if target.exists() and not replace:
        raise ModelError(
            f"{target} exists already: replace it with --force, or choose another --name."
        )
    try:
        # Beside the repository, not in it: a server that watches would take it for a model.
        with workshop(repository) as place:
            _fill(place / name, file, settings)
            check_repository(place)
            repository.mkdir(parents=True, exist_ok=True)
            swap_in(place / name, target)
    except OSError as error:
        raise LabError(
            f"{repository} can't be written ({error.strerror or error}): choose another folder."
        ) from None
    return target


def _fill(folder: Path, file: Path, settings: ServingSettings) -> None:
    classes = OnnxSession(file, "cpu").facts.class_names
    data = file.read_bytes()
    text = config_text(folder.name, read_signature(data), len(classes), settings)
    replace_file(folder / VERSION / MODEL_FILE, lambda path: _write_bytes(path, data))
    write_text(folder / LABELS_FILE, "".join(f"{name}\n" for name in classes))
    write_text(folder / CONFIG_FILE, text)


def _write_bytes(path: Path, data: bytes) -> None:
    path.write_bytes(data)
