"""`python -m export calibrate` and `unlike`: how far to trust a model's answers, measured once."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from resnet_core.console import Commands
from resnet_core.training.config import DATA_FOLDER_HELP

if TYPE_CHECKING:
    from export.confidence import Calibration, Confidence, Familiarity

Measured = TypeVar("Measured", "Calibration", "Familiarity")


def add_confidence(commands: Commands[argparse.ArgumentParser]) -> None:
    text = "fit a model's confidence on its validation images; its answers then mean what they say"
    calibrate = commands.add_parser("calibrate", help=text, description=text)
    _add_common(calibrate)
    calibrate.set_defaults(execute=_calibrate)

    text = "measure how well a model tells pictures unlike its training pictures; its answers then say so"
    unlike = commands.add_parser("unlike", help=text, description=text)
    unlike.add_argument("--photos", type=Path, help="also: a folder of photos of other things")
    _add_common(unlike)
    unlike.set_defaults(execute=_unlike)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="shipped model or run")
    parser.add_argument("--data-folder", type=Path, help=DATA_FOLDER_HELP)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _calibrate(options: argparse.Namespace) -> int:
    from export.calibrate import calibrate

    def measure(file: Path, data_folder: Path) -> Calibration:
        return calibrate(options.model, file, data_folder)

    return _keep(
        options, measure, lambda known, found: replace(known, calibration=found), _tell_calibration
    )


def _unlike(options: argparse.Namespace) -> int:
    from export.strangers import measure_familiarity

    def measure(file: Path, data_folder: Path) -> Familiarity:
        return measure_familiarity(options.model, file, data_folder, options.photos)

    return _keep(
        options, measure, lambda known, found: replace(known, familiarity=found), _tell_familiarity
    )


def _keep(
    options: argparse.Namespace,
    measure: Callable[[Path, Path], Measured],
    add: Callable[[Confidence, Measured], Confidence],
    tell: Callable[[Measured], Iterator[str]],
) -> int:
    """Measure, put it beside the model with what else is known of it, and say it.

    Args:
        measure: (ONNX file, data folder) → what was found.
        add: puts it to what else is known of the model.
    """
    from export.catalogue import find_exported
    from export.confidence import read_confidence, write_confidence
    from export.engines.catalogue import library_versions
    from resnet_core.training.config import default_data_folder
    from resnet_core.training.machine import describe_machine

    file = find_exported(options.model).file
    data_folder = options.data_folder or default_data_folder()
    machine = describe_machine() | library_versions()
    found: Measured = replace(measure(file, data_folder), environment=machine)
    kept = write_confidence(file, add(read_confidence(file), found))
    said = [json.dumps(asdict(found), indent=2)] if options.json else [*tell(found), f"  in {kept}"]
    print("\n".join(said))
    return 0


def _tell_calibration(found: Calibration) -> Iterator[str]:
    yield f"temperature {found.temperature:.3f}, fitted on {found.fitted_on}"
    yield f"  their negative log-likelihood  {found.nll_before:.4f} → {found.nll_after:.4f} nats"
    yield (
        f"  calibration error, {found.test_images:,} test images  "
        f"{found.test_ece_before_percent:.2f} % → {found.test_ece_after_percent:.2f} %"
    )


def _tell_familiarity(found: Familiarity) -> Iterator[str]:
    yield f"energy score below {found.threshold:.3f}: unlike; from {found.threshold_from}"
    yield f"  {found.test_flagged_percent:5.2f} % of {found.test_images:,} other test images are"
    for each in found.strangers:
        yield (
            f"  {each.flagged_percent:5.2f} % of {each.images:,} {each.name} are; AUROC "
            f"{each.auroc_percent:.2f} % (largest logit: {each.auroc_of_maximum_percent:.2f} %)"
        )
