"""One picture, several views or several nets: the mean of their probabilities answers.

He et al. 2015 (arXiv 1512.03385 §4.1) end with an ensemble of six.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from export.catalogue import find_exported
from export.classifier import Answer, ReadyModel, classify, open_engine
from export.views import ONE, TEN_CROP, VIEWS, describe, make_views
from resnet_core.errors import ConfigError, ModelError
from resnet_core.pictures import Picture, read_picture, to_input

SEVERAL = " + "


def classify_averaged(
    source: Path | bytes, models: Sequence[str], views: str = ONE, engine: str = ""
) -> Answer:
    """Ask several models, or one, about several views of a picture, or one.

    Args:
        source: a picture file's path or its bytes.
        models: names of exported models, or paths of ONNX files; each counts the same.
        views: one of `VIEWS`.
        engine: as `classify` takes it.

    Raises:
        PictureError: the picture can't be read.
        ModelError: there is no such model, or two do not know the same classes.
        ConfigError: there is no such engine or kind of view.
    """
    if views not in VIEWS:
        raise ConfigError(f"There are no views '{views}': choose one of {', '.join(VIEWS)}.")
    models = list(dict.fromkeys(models))
    if len(models) == 1 and views == ONE:
        return classify(source, models[0], engine)
    opened = [open_engine(model, engine) for model in models]
    _check_classes(models, opened)
    start = perf_counter()
    picture = read_picture(source)
    decoded = perf_counter()
    asked = [
        make_views(
            picture.image, each.facts.input_size, views, _mean(model, views), each.facts.crop_share
        )
        for model, each in zip(models, opened, strict=True)
    ]
    prepared = perf_counter()
    shares = [each.run(images).mean(0) for each, images in zip(opened, asked, strict=True)]
    done = perf_counter()
    return _answer(
        models, opened, picture, views, np.mean(shares, axis=0),
        (decoded - start, prepared - decoded, done - prepared),
    )  # fmt: skip


def _answer(
    models: list[str], opened: list[ReadyModel], picture: Picture, views: str,
    probabilities: NDArray[np.float32], seconds: tuple[float, float, float],
) -> Answer:  # fmt: skip
    first = opened[0].facts
    together = f"Mean of {len(models)} nets." if len(models) > 1 else ""
    seen = to_input(picture.image, first.input_size, first.crop_share)
    # What was measured of one net says nothing of several together.
    remarks = opened[0].remarks(seen) if len(opened) == 1 else ()
    said = [
        note for note in (together, describe(views, first.input_size, first.crop_share)) if note
    ]
    return Answer(
        model=SEVERAL.join(models),
        family=first.family,
        engine="; ".join(dict.fromkeys(each.name for each in opened)),
        class_names=first.class_names,
        probabilities=probabilities,
        seen=seen,
        picture=picture.image,
        picture_size=picture.size,
        notes=(*picture.notes, *said, *remarks),
        decode_ms=1000 * seconds[0],
        preprocess_ms=1000 * seconds[1],
        inference_ms=1000 * seconds[2],
    )


def _check_classes(models: list[str], opened: list[ReadyModel]) -> None:
    for model, each in zip(models, opened, strict=True):
        if each.facts.class_names != opened[0].facts.class_names:
            raise ModelError(
                f"{models[0]} and {model} do not know the same classes, so that their answers "
                "can't be averaged: choose nets trained on the same data."
            )


def _mean(model: str, views: str) -> NDArray[np.float32]:
    """What the net subtracts from pixels; only crops need it, and only then is the graph read."""
    if views != TEN_CROP:
        return np.zeros(3, np.float32)
    file = find_exported(model).file
    return _read_mean(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=16)
def _read_mean(file: Path, _changed_at_ns: int) -> NDArray[np.float32]:
    import onnx
    from onnx import numpy_helper

    for tensor in onnx.load(file, load_external_data=False).graph.initializer:
        if tensor.name.rpartition(".")[2] == "mean":
            return np.asarray(numpy_helper.to_array(tensor), dtype=np.float32)
    raise ModelError(
        f"{file.name} does not say what it subtracts from pixels, which padding takes: "
        "export the model again with `python -m export onnx`."
    )
