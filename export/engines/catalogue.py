"""All engines by name, and which of them can be used here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

from export.engines import (
    on_cuda_graphs,
    on_onnxruntime,
    on_onnxruntime_gpu,
    on_openvino,
    on_pytorch,
)
from export.engines.interface import Engine, Obstacle
from resnet_core.errors import ConfigError, ModelError

ENGINES: dict[str, Engine] = {
    engine.key: engine
    for engine in (
        *on_pytorch.ENGINES,
        *on_cuda_graphs.ENGINES,
        *on_onnxruntime.ENGINES,
        *on_onnxruntime_gpu.ENGINES,
        *on_openvino.ENGINES,
    )
}


@dataclass(frozen=True)
class Choice:
    """An engine at one precision, and what keeps it from being used here."""

    engine: Engine
    precision: str
    obstacle: Obstacle | None

    @property
    def key(self) -> str:
        return f"{self.engine.key}:{self.precision}"


def list_choices(with_pytorch: bool = True) -> Iterator[Choice]:
    """Every engine at every precision it offers, usable here or not.

    Args:
        with_pytorch: also those that run the weights; asking what they lack imports torch.
    """
    engines = [engine for engine in ENGINES.values() if with_pytorch or engine.runs_the_file]
    for engine in engines:
        for precision in engine.precisions:
            yield Choice(engine, precision, engine.obstacle(precision))


def find_engine(said: str) -> list[Choice]:
    """An engine by name at every precision it offers, or at the one after a colon.

    Raises:
        ConfigError: no such engine or precision; those there are.
    """
    key, _, precision = said.partition(":")
    engine = ENGINES.get(key)
    if engine is None:
        raise ConfigError(f"There is no engine named '{key}': choose one of {', '.join(ENGINES)}.")
    if precision and precision not in engine.precisions:
        raise ConfigError(
            f"{engine.title} offers {', '.join(engine.precisions)}, not '{precision}'."
        )
    offered = (precision,) if precision else engine.precisions
    return [Choice(engine, offer, engine.obstacle(offer)) for offer in offered]


def find_choice(said: str) -> Choice:
    """An engine by name, with a precision after a colon or its exact one.

    Raises:
        ConfigError: no such engine or precision; those there are.
        ModelError: it can't be used here, with the reason and what to do.
    """
    choice = find_engine(said)[0]
    if choice.obstacle:
        title, install = choice.engine.title, choice.obstacle.install
        reason = f"{title} in {choice.precision} can't be used here, for {choice.obstacle.reason}"
        raise ModelError(f"{reason}: {install}" if install else f"{reason}: choose another engine.")
    return choice


def library_versions() -> dict[str, str]:
    """The versions of the engines' own libraries, those installed, to store beside figures."""
    versions = {"onnxruntime": on_onnxruntime.VERSION}
    if find_spec("openvino") is not None:
        versions["openvino"] = version("openvino")
    return versions
