"""What a run starts from where it does not start at random: a trained net's weights. No torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from resnet_core.errors import ConfigError, RunError
from resnet_core.files import sha256_of
from resnet_core.locate import locate_model
from resnet_core.models.config import ModelConfig
from resnet_core.models.header import ModelHeader, read_header
from resnet_core.training.recipes import Recipe


@dataclass(frozen=True)
class Start:
    """The weights that a run begins with, told by their bytes."""

    name: str
    """Model to start from: one that ships, an imported one, a run, or a .safetensors file."""
    file: str
    """Where its weights lay when the run was made."""
    sha256: str
    """Of that file, as hexadecimal digits."""


@dataclass(frozen=True)
class FoundStart:
    """A start and what its net is: what a run that begins there follows."""

    start: Start
    header: ModelHeader

    @property
    def input_size(self) -> int:
        """Height and width that its pictures had, in pixels."""
        return self.header.config.input_size

    def model_for(self, class_names: tuple[str, ...], image_size: int) -> ModelConfig:
        """The same net for other classes, and for pictures of `image_size` pixels a side.

        Raises:
            ConfigError: its mean picture does not fit pictures of that size.
        """
        if len(self.header.mean_shape) == 3 and image_size != self.input_size:
            raise ConfigError(
                f"{self.start.name} subtracts a mean picture of {self.input_size} x "
                f"{self.input_size} pixels, but these pictures have {image_size} x {image_size}: "
                f"prepare them with --image-size {self.input_size}."
            )
        return replace(self.header.config, classes=len(class_names), input_size=image_size)

    def recipe_for(self, recipe: Recipe) -> Recipe:
        """The recipe with the normalisation of the start, which its weights need."""
        is_by_pixel = len(self.header.mean_shape) == 3
        return recipe.changed(normalisation="per_pixel_mean" if is_by_pixel else "per_channel")


def find_start(name: str, runs: Path) -> FoundStart:
    """Look up a model to start from.

    Raises:
        LabError: there is none of that name, or its file can't be used.
    """
    file = locate_model(name, runs).weights_file.resolve()
    header = read_header(file)
    return FoundStart(Start(name, str(file), sha256_of(file)), header)


def start_file(start: Start) -> Path:
    """The file of a run's start, for a run that has no checkpoint of its own yet.

    Raises:
        RunError: it is gone, or holds other weights now.
    """
    path = Path(start.file)
    try:
        found = sha256_of(path)
    except OSError:
        raise RunError(
            f"The weights that this run starts from are gone ({start.name}, {path}): put the file "
            "back, or start a new run."
        ) from None
    if found != start.sha256:
        raise RunError(
            f"{start.name} is no longer what this run was to start from: {path} has SHA-256 "
            f"{found[:12]}…, not {start.sha256[:12]}…. Put the file back, or start a new run."
        )
    return path
