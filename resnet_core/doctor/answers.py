"""What no weight can tell, from a person's options; what is missing is asked for in one go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from resnet_core.data import imagenet
from resnet_core.data.catalogue import UNKNOWN_DATA, describe_dataset
from resnet_core.data.dataset import Dataset, load_dataset
from resnet_core.doctor.diagnose import Diagnosis
from resnet_core.doctor.names import MEASURED, NORMALISATION_NAMES
from resnet_core.doctor.normalisation import Normalisation, normalisation_named
from resnet_core.doctor.reading import STRIDES
from resnet_core.doctor.trial import Trial, try_normalisations
from resnet_core.errors import ConfigError
from resnet_core.models.config import ModelConfig
from resnet_core.pictures import WHOLE_SQUARE

MAX_CLASSES_BYTES = 2**20
IMAGENET_CROP = 224 / 256  # arXiv 1512.03385 §3.4


@dataclass(frozen=True)
class Options:
    """What a person said."""

    data: str | None
    data_folder: Path
    normalisation: str | None
    classes: Path | None
    stride_in: str | None
    tries: bool
    crop_share: float | None


@dataclass(frozen=True)
class Answers:
    """All that a model needs beside its weights."""

    config: ModelConfig
    normalisation: Normalisation
    class_names: tuple[str, ...]
    data: str
    trial: Trial | None
    crop_share: float
    """What the net sees of a picture, as `to_input` takes it."""
    assumed: tuple[str, ...]
    """What nobody said and nothing shows, in sentences."""


def answer(found: Diagnosis, options: Options) -> Answers:
    """Put together what the file holds, what was said, and what a trial shows.

    Raises:
        ConfigError: everything that must still be said, or that nothing tried fits.
    """
    dataset = _images(options)
    given = found.normalisation
    if options.normalisation:
        given = normalisation_named(options.normalisation, dataset.train if dataset else None)
    names = _class_names(found, options)
    assumed = []
    if not names and _may_be_imagenet(found):
        names = imagenet.class_names()
        assumed.append("its 1,000 classes are ImageNet's, in torchvision's order")
    crop_share = options.crop_share or found.crop_share
    if crop_share is None:
        crop_share = IMAGENET_CROP if _may_be_imagenet(found) else WHOLE_SQUARE
        if _may_be_imagenet(found):
            assumed.append("it sees 0.875 of a picture's shorter side, as in 224 of 256 pixels")
    problems = _questions(found, options, given, names)
    if problems:
        raise ConfigError([f"{found.said}.", *problems])
    config, trial = found.config, None
    if options.tries and dataset is not None:
        trial = try_normalisations(found.states, dataset, given)
        chosen = trial.best_with(given)
        if not trial.fits(chosen) and (given is None or _asks_stride(found, options)):
            raise ConfigError(_none_fits(found, trial))
        config, given = chosen.config, chosen.normalisation
    assert given is not None  # or it was asked for
    assumed += found.assumed(trial is not None)
    data = options.data or UNKNOWN_DATA
    return Answers(config, given, names, data, trial, crop_share, tuple(assumed))


def _images(options: Options) -> Dataset | None:
    """The data set, loaded only where its pixels are needed."""
    if options.tries and options.data is None:
        raise ConfigError("Trying normalisations takes labelled images: name them with --data.")
    if options.data and (options.tries or options.normalisation in MEASURED):
        return load_dataset(options.data, options.data_folder)
    return None


def _questions(
    found: Diagnosis, options: Options, given: Normalisation | None, names: tuple[str, ...]
) -> list[str]:
    asked = []
    if given is None and not options.tries:
        asked.append(
            "No weight tells how its pixels were normalised: say it with --normalisation "
            f"({', '.join(NORMALISATION_NAMES)}, or numbers), or see which fits with "
            "--try-normalisations --data cifar10."
        )
    if not names:
        asked.append(
            f"No weight tells what its {found.config.classes} classes are called: give a file of "
            "one name a line with --classes, or name the data it was trained on with --data."
        )
    if _asks_stride(found, options) and not options.tries:
        asked.append(
            "No weight tells which convolution of a v2 block strides: if it is the first 1x1, as "
            "in He et al. 2016, say --stride-in 1x1; or see whether that fits with "
            "--try-normalisations."
        )
    if options.crop_share is not None and not 0 < options.crop_share <= 1:
        asked.append(f"A crop share lies between 0 and 1, not at {options.crop_share:g}.")
    if found.reading.asks_stride and options.stride_in == "3x3":
        asked.append("Nets of v2 that stride in the 3x3 convolution are not supported yet.")
    return asked


def _asks_stride(found: Diagnosis, options: Options) -> bool:
    return found.reading.asks_stride and options.stride_in not in STRIDES


def _class_names(found: Diagnosis, options: Options) -> tuple[str, ...]:
    """From the file of names, the model's own file, or the data; empty where none was given."""
    wanted = found.config.classes
    if options.classes is not None:
        return _read_names(options.classes, wanted)
    if found.class_names or options.data is None:
        return found.class_names
    if options.data == imagenet.NAME:
        names = imagenet.class_names()
    else:
        names, _ = describe_dataset(options.data, options.data_folder)
    if len(names) != wanted:
        raise ConfigError(
            f"{options.data} has {len(names)} classes and this net tells {wanted} apart: name the "
            "data it was trained on."
        )
    return names


def _may_be_imagenet(found: Diagnosis) -> bool:
    return found.config.is_photo and found.config.classes == imagenet.CLASSES


def _read_names(path: Path, wanted: int) -> tuple[str, ...]:
    """One name a line, or a JSON list of names."""
    try:
        with open(path, "rb") as file:
            text = file.read(MAX_CLASSES_BYTES).decode("utf-8-sig")
        names = json.loads(text) if text.lstrip().startswith("[") else text.splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"The class names in {path} can't be read ({error}).") from None
    names = [str(name).strip() for name in names if str(name).strip()]
    if len(names) != wanted or len(set(names)) != wanted:
        raise ConfigError(
            f"{path} should hold {wanted} different class names, one a line in the net's order, "
            f"found {len(names)}, {len(set(names))} of them different."
        )
    return tuple(names)


def _none_fits(found: Diagnosis, trial: Trial) -> str:
    guess = 100 * (1 - 1 / trial.classes)
    stride = " a stride in the 3x3 convolution," if found.reading.asks_stride else ""
    return (
        f"{found.said}. No usual normalisation fits on {trial.said}: the best, "
        f"{trial.best.normalisation.name}, has {trial.best.error_percent:.1f} % error, and a guess "
        f"{guess:.0f} %. It may have been trained on other data, with its classes in another order,"
        f"{stride} or be another net with the same names."
    )
