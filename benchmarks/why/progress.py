"""How far an analysis has come, from its file alone. No torch."""

from __future__ import annotations

from typing import Any

from benchmarks.why.stored import Stored
from resnet_core.errors import ConfigError
from resnet_core.models.config import FAMILIES, ONLY_CIFAR_NETS

STAGES = 3


def expected_rows(header: dict[str, Any]) -> int:
    """How many rows the finished file will hold; of ensembles, at least."""
    settings, models = header["settings"], header["models"]
    match header["analysis"]:
        case "gradients":
            return len(models) * 2 * int(settings["starts"])
        case "responses":
            return len(models)
        case "landscape":
            return len(models) * int(settings["points"]) ** 2
        case "surgery":
            if settings["off"] or settings["swap"]:
                return 2 * len(models)
            return sum(_operations(model, settings["swaps"]) for model in models)
        case "ensemble":
            return int(2 ** min(len(models), 8)) - 1
    raise ConfigError(f"There is no analysis named '{header['analysis']}'.")


def share_done(stored: Stored) -> float:
    """0 to 1."""
    if stored.is_finished:
        return 1.0
    return min(1.0, len(stored.rows) / max(1, expected_rows(stored.header)))


def shape_changing_blocks(family: str, depth: int) -> tuple[int, set[int]]:
    """How many blocks a net has, and the numbers, from 1, of those that change the shape.

    Raises:
        ConfigError: it is a net for photos.
    """
    if family not in FAMILIES:
        raise ConfigError(ONLY_CIFAR_NETS)
    n = (depth - 2) // FAMILIES[family].layers_per_n
    changing = {n + 1, 2 * n + 1}
    # The first bottleneck widens 16 channels to 64.
    return STAGES * n, changing | ({1} if family == "resnet_v2" else set())


def _operations(model: dict[str, Any], swaps: bool) -> int:
    blocks, changing = shape_changing_blocks(model["family"], model["depth"])
    pairs = [(n, n + 1) for n in range(1, blocks) if not {n, n + 1} & changing]
    return 1 + blocks + (len(pairs) if swaps else 0)
