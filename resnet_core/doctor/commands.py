"""`python -m resnet_core import FILE`: a stranger's checkpoint made a model of this kit."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from resnet_core.console import Commands
from resnet_core.doctor.names import NORMALISATION_NAMES, STORED
from resnet_core.errors import printable
from resnet_core.options import as_words
from resnet_core.training.config import default_data_folder, default_runs_folder

if TYPE_CHECKING:
    from resnet_core.doctor.answers import Answers
    from resnet_core.doctor.diagnose import Diagnosis
    from resnet_core.zoo import ZooEntry


def add_import_command(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "make a model of a checkpoint from elsewhere: .pth, .pt, .th or .safetensors"
    parser = commands.add_parser("import", help=text, description=text)
    parser.add_argument("file", type=Path, help="the checkpoint; nothing in it is run")
    parser.add_argument("--name", help="what to call the model (default: as the file)")
    parser.add_argument("--data", help="the data it was trained on, such as cifar10 or imagenet")
    parser.add_argument(
        "--normalisation",
        help=f"how its pixels were normalised: {', '.join(NORMALISATION_NAMES)}, or mean/deviation "
        "in 0..1 such as 0.5,0.5,0.5/0.25,0.25,0.25",
    )
    parser.add_argument(
        "--try-normalisations", action="store_true",
        help="try the usual ones on training images of --data; take what fits best if none is said",
    )  # fmt: skip
    parser.add_argument("--classes", type=Path, help="file of class names, one a line")
    parser.add_argument("--part", help="the container that holds the net, where there are several")
    parser.add_argument(
        "--family",
        help="which of the nets that names and shapes fit: plain or resnet_v1, photo_resnet or "
        "photo_resnet_paper (default: the likelier, which is said)",
    )
    parser.add_argument(
        "--stride-in", choices=("1x1", "3x3"), help="the convolution of a bottleneck that strides"
    )
    parser.add_argument(
        "--image-size", type=int, help="height and width in pixels (default: what such nets take)"
    )
    parser.add_argument(
        "--crop-share", type=float,
        help="side of the centred square it sees as a share of a picture's shorter side (default: "
        "1; 0.875 for nets of ImageNet's classes)",
    )  # fmt: skip
    parser.add_argument(
        "--data-folder", type=Path, default=default_data_folder(),
        help="where data sets are (default: $RESNET_LAB_DATA or ./data)",
    )  # fmt: skip
    parser.add_argument(
        "--runs", type=Path, default=default_runs_folder(),
        help="the model goes into its folder 'imported' (default: $RESNET_LAB_RUNS or ./runs)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=_import)


def _import(options: argparse.Namespace) -> None:
    from resnet_core.doctor.answers import Options, answer
    from resnet_core.doctor.diagnose import diagnose
    from resnet_core.doctor.keep import free_name, keep

    found = diagnose(
        options.file, options.part, options.family, options.image_size, options.stride_in
    )
    name = free_name(options.file, options.name, options.runs)
    answers = answer(
        found,
        Options(
            data=options.data,
            data_folder=options.data_folder,
            normalisation=options.normalisation,
            classes=options.classes,
            stride_in=options.stride_in,
            tries=options.try_normalisations,
            crop_share=options.crop_share,
        ),
    )
    entry = keep(found, answers, name, options.runs, _command(options, name, answers))
    if options.json:
        print(json.dumps({"model": entry.name, "folder": str(entry.folder), **entry.card}))
    else:
        print("\n".join(_as_lines(found, answers, entry)))


def _command(options: argparse.Namespace, name: str, answers: Answers) -> str:
    """What imports the same model anywhere, without trying again; paths of this machine left out."""
    words = ["python", "-m", "resnet_core", "import", options.file.name, "--name", name]
    words += ["--family", answers.config.family]
    if answers.normalisation.name != STORED:
        words += ["--normalisation", answers.normalisation.name]
    if options.classes is not None:
        words += ["--classes", options.classes.name]
    for option in ("data", "part", "stride_in", "image_size", "crop_share"):
        if (value := getattr(options, option)) is not None:
            words += as_words(option, value)
    return shlex.join(words)


def _as_lines(found: Diagnosis, answers: Answers, entry: ZooEntry) -> list[str]:
    lines = [found.said + "."]
    if found.weights.left_out:
        lines.append(f"Left out: {', '.join(found.weights.left_out)}.")
    lines += [f"Assumed: {said}." for said in answers.assumed]
    lines += _trial_lines(answers)
    lines.append(
        f"Imported as {entry.name} ({answers.config.name}, {entry.card['params']:,} parameters, "
        f"normalisation {answers.normalisation.name}): {entry.folder}"
    )
    lines.append(f"Next: python -m export onnx {entry.name}")
    return [printable(line) for line in lines]


def _trial_lines(answers: Answers) -> list[str]:
    if (trial := answers.trial) is None:
        return []
    lines = [f"Tried on {trial.said}, which it may have learned from:"]
    lines += [
        f"  {row.config.name:14} {row.normalisation.name:20} error {row.error_percent:6.2f} %  "
        f"loss {row.loss:.4f}"
        for row in trial.rows
    ]
    others = [f"{row.config.name} with {row.normalisation.name}" for row in trial.rivals]
    apart = f"; so few images can't tell it from {', '.join(others)}" if others else ""
    return [*lines, f"{trial.best.normalisation.name} fits best{apart}."]
