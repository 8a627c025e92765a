"""int8: static quantisation with QDQ nodes, per channel, calibrated and judged on training images.

ONNX Runtime's tool does the arithmetic. What it loses depends on the net, so the layers that cost
most are left in fp32 one group after the other until the loss is small; the test images have no
say in it.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from export.half import set_precision
from export.session import OnnxSession
from resnet_core.files import replace_file

CALIBRATION_IMAGES = 512
JUDGING_IMAGES = 10_000
BATCH = 64
JUDGING_BATCH = 250
MOST_LOST_POINTS = 0.1
"""Error that int8 may add on the judging images before more layers are left in fp32."""
LAYERS = ("Conv", "Gemm")


@dataclass(frozen=True)
class Rung:
    """What is left in fp32; each rung more than the one before."""

    kept: str
    with_sums: bool
    """Whether the additions of the skips are quantised too."""
    skipped_first: int
    skipped_last: int


# The first layer sees raw pixels with few channels, the skips carry the signal through the net,
# the last layer decides: the three places where rounding costs most.
LADDER = (
    Rung("nothing", True, 0, 0),
    Rung("the first layer", True, 1, 0),
    Rung("the first layer and the sums of the skips", False, 1, 0),
    Rung("the first and last layer and the sums of the skips", False, 1, 1),
)


@dataclass(frozen=True)
class Quantised:
    """How an int8 file came about."""

    kept_in_fp32: str
    lost_points: float
    """Error on the judging images less the fp32 net's, in points of percent."""
    agreement_percent: float
    """Judging images with the same top class as in fp32."""
    calibration_images: int
    judging_images: int


def write_int8(
    source: Path, out: Path, images: NDArray[np.uint8], labels: NDArray[np.int64], seed: int = 0
) -> Quantised:
    """Quantise an exported fp32 file.

    Args:
        source: a stand-alone ONNX file of this app.
        out: where the int8 file is put in one step.
        images: training images, (N, size, size, 3); some calibrate, others judge, mirrored.
        labels: their classes, (N,).
    """
    order = np.random.default_rng(seed).permutation(len(images))
    half = min(CALIBRATION_IMAGES, max(1, len(images) // 2))
    judges = order[half : half + JUDGING_IMAGES] if len(images) > 1 else order
    # Mirrored: as likely as the original, and not the very pixels the net has learned by heart.
    seen = np.ascontiguousarray(images[judges][:, :, ::-1])
    truth, exact = labels[judges], _classes(source, seen)
    with tempfile.TemporaryDirectory() as folder:
        prepared = _prepare(source, Path(folder))
        trials: list[tuple[Quantised, Path]] = []
        for rung in LADDER:
            trial = Path(folder) / f"{len(trials)}.onnx"
            _quantise(prepared, trial, images[order[:half]], rung)
            found = _classes(trial, seen)
            lost = 100 * float((found != truth).mean() - (exact != truth).mean())
            agreement = 100 * float((found == exact).mean())
            trials.append((Quantised(rung.kept, lost, agreement, half, len(judges)), trial))
            if lost <= MOST_LOST_POINTS:
                break
        result, best = min(trials, key=lambda tried: tried[0].lost_points)
        model = onnx.load(best)
    set_precision(model, "int8", source, calibration=_origin(result, seed))
    replace_file(out, lambda path: _write(model, path))
    return result


def _origin(result: Quantised, seed: int) -> str:
    return (
        f"{result.calibration_images} training images, seed {seed}; in fp32: {result.kept_in_fp32}"
    )


def _classes(file: Path, images: NDArray[np.uint8]) -> NDArray[np.int64]:
    session = OnnxSession(file, "cpu")
    batches = range(0, len(images), JUDGING_BATCH)
    return np.concatenate(
        [session.run(images[at : at + JUDGING_BATCH])[0].argmax(1) for at in batches]
    )


def _prepare(source: Path, folder: Path) -> Path:
    """Fold and name what the tool needs: shapes of every tensor, batch norm in its convolution."""
    from onnxruntime.quantization import quant_pre_process

    prepared = folder / "prepared.onnx"
    quant_pre_process(source, prepared)
    return prepared


def _quantise(prepared: Path, out: Path, images: NDArray[np.uint8], rung: Rung) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    layers = [n.name for n in onnx.load(prepared).graph.node if n.op_type in LAYERS]
    skipped = layers[: rung.skipped_first] + layers[len(layers) - rung.skipped_last :]
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # the tool recommends the preparation that was just done
    try:
        quantize_static(
            prepared,
            out,
            _Reader(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # Unsigned after a ReLU: all 256 steps are of use, and x86 multiplies u8 by s8.
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            # Seven bits a weight: without VNNI, x86 adds two products in 16 bits, and 2 · 255 · 127
            # does not fit. Eight bits cost 1.5 to 3 points of error there, and nothing elsewhere.
            reduce_range=True,
            op_types_to_quantize=[*LAYERS, *(["Add"] if rung.with_sums else [])],
            nodes_to_exclude=skipped,
            # The batches' extremes are averaged: the one brightest pixel of all would make every
            # step coarser (of `resnet20_v1`'s answers on other images 99.2 % stayed, now 99.6 %).
            extra_options={"CalibMovingAverage": True},
        )
    finally:
        logger.setLevel(level)


class _Reader:
    """Hands the tool one batch after the other, as its `CalibrationDataReader` does."""

    def __init__(self, images: NDArray[np.uint8]):
        starts = range(0, len(images), BATCH)
        self._batches: Iterator[dict[str, Any]] = (
            {"image": images[at : at + BATCH]} for at in starts
        )

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)


def _write(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString())
