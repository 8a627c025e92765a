"""A picture and a model in, an answer out: ranked classes, the pixels seen, the time it took."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.catalogue import find_exported
from export.confidence import read_confidence, soften
from export.engines.catalogue import find_choice
from export.engines.interface import ALL_THREADS, OpenModel
from export.engines.on_onnxruntime import OnOnnxRuntime
from export.precisions import file_for
from export.session import ModelFacts, OnnxSession
from export.tuned import engine_for
from export.unlike import unlike_note
from resnet_core.pictures import Picture, read_picture, to_input

# Below the first, the net's favourite is not even more likely than not; above the second it is
# right nine times in ten on pictures of the kind it was trained on.
UNSURE_BELOW, SURE_ABOVE = 0.5, 0.8


@dataclass(frozen=True)
class Answer:
    """What one model makes of one picture."""

    model: str
    family: str
    engine: str
    class_names: tuple[str, ...]
    probabilities: NDArray[np.float32]
    """(classes,), summing to 1."""
    seen: NDArray[np.uint8]
    """The exact pixels the net saw, (size, size, 3)."""
    picture: Image.Image
    picture_size: tuple[int, int]
    notes: tuple[str, ...]
    decode_ms: float
    preprocess_ms: float
    inference_ms: float

    def ranked(self, top_k: int | None = None) -> list[tuple[str, float]]:
        """Class names with probabilities, most probable first."""
        order = np.argsort(-self.probabilities, kind="stable")[:top_k]
        return [(self.class_names[i], float(self.probabilities[i])) for i in order]

    @property
    def verdict(self) -> str:
        """The answer in words, as sure as the net is."""
        (first, p), (second, _) = self.ranked(2)
        if p < UNSURE_BELOW:
            return f"Not sure: perhaps {_with_article(first)}, perhaps {_with_article(second)}."
        if p < SURE_ABOVE:
            return f"Probably {_with_article(first)}."
        said = _with_article(first)
        return f"{said[0].upper()}{said[1:]}."  # the rest as it is written: a Siamese cat

    @property
    def is_uncertain(self) -> bool:
        return float(self.probabilities.max()) < UNSURE_BELOW

    def to_dict(self, top_k: int | None = None) -> dict[str, Any]:
        return {
            "model": self.model,
            "engine": self.engine,
            "verdict": self.verdict,
            "classes": [{"name": name, "probability": p} for name, p in self.ranked(top_k)],
            "picture_size": list(self.picture_size),
            "input_size": int(self.seen.shape[0]),
            "notes": list(self.notes),
            "decode_ms": round(self.decode_ms, 3),
            "preprocess_ms": round(self.preprocess_ms, 3),
            "inference_ms": round(self.inference_ms, 3),
        }


def classify(source: Path | bytes, model: str, engine: str = "") -> Answer:
    """Decode a picture and ask one exported model.

    Args:
        source: a picture file's path or its bytes.
        model: name of an exported model, or the path of an ONNX file.
        engine: what runs it, as `find_choice` takes it; empty for the fastest that was measured here
            and agrees with the exact file, ONNX Runtime before any was.

    Raises:
        PictureError: the picture can't be read.
        ModelError: there is no such model, or the engine can't be used here.
        ConfigError: there is no such engine.
    """
    opened = open_engine(model, engine)
    start = perf_counter()
    picture = read_picture(source)
    return _ask(opened, model, picture, 1000 * (perf_counter() - start))


def compare(source: Path | bytes, models: list[str], engine: str = "") -> list[Answer]:
    """The same picture, decoded once, put to several models."""
    engines = [open_engine(model, engine) for model in models]
    start = perf_counter()
    picture = read_picture(source)
    decode_ms = 1000 * (perf_counter() - start)
    return [
        _ask(engine, model, picture, decode_ms)
        for engine, model in zip(engines, models, strict=True)
    ]


@dataclass(frozen=True)
class ReadyModel:
    """An exported model, opened: what it says of itself, and what runs it."""

    file: Path
    facts: ModelFacts
    runner: OpenModel

    @property
    def name(self) -> str:
        """The engine that really runs it."""
        return self.runner.name

    def run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 RGB (N, size, size, 3) → probabilities, float32 (N, classes); calibrated if measured."""
        probabilities = self.runner.run(images)
        calibration = read_confidence(self.file).calibration
        return soften(probabilities, calibration.temperature) if calibration else probabilities

    def remarks(self, seen: NDArray[np.uint8]) -> tuple[str, ...]:
        """What was measured of the model that bears on its answer to (size, size, 3) pixels."""
        calibration = read_confidence(self.file).calibration
        said = [unlike_note(self.file, seen)]
        if calibration:
            said.append(
                f"Confidence calibrated: temperature {calibration.temperature:.2f}, "
                f"fitted on {calibration.fitted_on}."
            )
        return tuple(filter(None, said))


def open_engine(model: str, engine: str = "", beside_decoders: bool = False) -> ReadyModel:
    """The model, opened once by the engine and kept; a file that changed is opened anew.

    Args:
        beside_decoders: whether it will share the cores with threads that decode pictures.

    Raises:
        ModelError: there is no such model, or the engine can't be used here.
        ConfigError: there is no such engine.
    """
    file = find_exported(model).file
    chosen = engine_for(file, engine)
    opened = file_for(file, chosen.partition(":")[2])
    changed_at_ns = (_changed_at_ns(file), _changed_at_ns(opened))
    return _open_once(file, changed_at_ns, chosen, beside_decoders)


def _changed_at_ns(file: Path) -> int:
    """0 where there is no such file, which whoever opens it will say."""
    return file.stat().st_mtime_ns if file.is_file() else 0


@lru_cache(maxsize=16)
def _open_once(
    file: Path, _changed_at_ns: tuple[int, int], engine: str, beside_decoders: bool
) -> ReadyModel:
    """Kept until the exact file changes, or the one of the precision that is opened."""
    if not engine:
        session = OnnxSession(file, spins=not beside_decoders)
        return ReadyModel(file, session.facts, OnOnnxRuntime(session))
    choice = find_choice(engine)
    facts = OnnxSession(file, "cpu").facts
    open_model = choice.engine.open_beside if beside_decoders else None
    runner = (open_model or choice.engine.open)(file, choice.precision, ALL_THREADS)
    return ReadyModel(file, facts, runner)


def _ask(engine: ReadyModel, model: str, picture: Picture, decode_ms: float) -> Answer:
    start = perf_counter()
    seen = to_input(picture.image, engine.facts.input_size, engine.facts.crop_share)
    prepared = perf_counter()
    probabilities = engine.run(seen[None])
    done = perf_counter()
    return Answer(
        model=model,
        family=engine.facts.family,
        engine=engine.name,
        class_names=engine.facts.class_names,
        probabilities=probabilities[0],
        seen=seen,
        picture=picture.image,
        picture_size=picture.size,
        notes=(*picture.notes, *engine.remarks(seen)),
        decode_ms=decode_ms,
        preprocess_ms=1000 * (prepared - start),
        inference_ms=1000 * (done - prepared),
    )


def _with_article(name: str) -> str:
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
