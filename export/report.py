"""What each precision costs and saves: size, test error, agreement with fp32, on every test image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.converted import command_for
from export.engines.catalogue import Choice, list_choices
from export.engines.interface import ALL_THREADS, OpenModel
from export.engines.on_onnxruntime import OnOnnxRuntime
from export.precisions import EXACT, FILE_PRECISIONS, existing_file, file_for
from export.session import OnnxSession
from resnet_core.errors import LabError, ModelError

BATCH = 250


@dataclass(frozen=True)
class Row:
    """One precision, as one engine computes it."""

    precision: str
    runs: str
    """What really ran: library, version, device, precision."""
    file: Path
    test_error_percent: float | None = None
    agreement_percent: float | None = None
    """Test images with the same top class as the fp32 file."""
    max_probability_difference: float | None = None
    reason: str = ""
    """Why there are no figures."""

    @property
    def size_mb(self) -> float | None:
        return self.file.stat().st_size / 1e6 if self.file.is_file() else None

    def to_dict(self) -> dict[str, Any]:
        return {
            "precision": self.precision,
            "runs": self.runs,
            "file": self.file.name,
            "size_mb": self.size_mb,
            "test_error_percent": self.test_error_percent,
            "agreement_percent": self.agreement_percent,
            "max_probability_difference": self.max_probability_difference,
            "reason": self.reason or None,
        }


def report(file: Path, images: NDArray[np.uint8], labels: NDArray[np.int64]) -> Iterator[Row]:
    """Every file there is on ONNX Runtime, then every other engine and precision usable here.

    Args:
        file: the exact (fp32) stand-alone ONNX file; the others lie beside it.
        images: test images, (N, size, size, 3).
        labels: their classes, (N,).
    """
    exact = _probabilities(OnOnnxRuntime(OnnxSession(file, "cpu")), images)
    for precision in FILE_PRECISIONS:
        yield _of_file(precision, file, exact, images, labels)
    # PyTorch runs the weights and so says nothing of the files.
    for choice in list_choices(with_pytorch=False):
        if choice.engine.key != "onnxruntime-cpu" and choice.obstacle is None:
            yield _on_engine(choice, file, exact, images, labels)


def _of_file(
    precision: str, file: Path, exact: NDArray[np.float32], images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> Row:  # fmt: skip
    path = file_for(file, precision)
    if not path.is_file():
        return Row(precision, "", path, reason=f"not exported: {command_for(precision)} makes it")
    try:
        model = OnOnnxRuntime(OnnxSession(existing_file(file, precision), "cpu"))
    except ModelError as error:
        return Row(precision, "", path, reason=str(error))
    return _compare(precision, path, model, exact, images, labels)


def _on_engine(
    choice: Choice, file: Path, exact: NDArray[np.float32], images: NDArray[np.uint8],
    labels: NDArray[np.int64],
) -> Row:  # fmt: skip
    path = file_for(file, choice.precision)
    try:
        model = choice.engine.open(file, choice.precision, ALL_THREADS)
    except LabError as error:
        return Row(choice.precision, choice.engine.title, path, reason=str(error))
    return _compare(choice.precision, path, model, exact, images, labels)


def _compare(
    precision: str, path: Path, model: OpenModel, exact: NDArray[np.float32],
    images: NDArray[np.uint8], labels: NDArray[np.int64],
) -> Row:  # fmt: skip
    found = exact if _is_reference(precision, model) else _probabilities(model, images)
    return Row(
        precision,
        model.name,
        path,
        100 * float((found.argmax(1) != labels).mean()),
        100 * float((found.argmax(1) == exact.argmax(1)).mean()),
        float(np.abs(found - exact).max()),
    )


def _is_reference(precision: str, model: OpenModel) -> bool:
    return precision == EXACT and isinstance(model, OnOnnxRuntime)


def _probabilities(model: OpenModel, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, classes)."""
    batches = range(0, len(images), BATCH)
    return np.concatenate([model.run(images[at : at + BATCH]) for at in batches])


def as_table(rows: list[Row]) -> str:
    """A line a row: precision, size, test error, agreement, largest difference, what ran."""
    lines = [f"{'precision':10} {'size':>8} {'error':>8} {'same':>9} {'max |Δp|':>9}  runs on"]
    for row in rows:
        size = f"{row.size_mb:.2f} MB" if row.size_mb is not None else "–"
        if row.reason:
            lines.append(f"{row.precision:10} {size:>8}  {row.reason}")
            continue
        lines.append(
            f"{row.precision:10} {size:>8} {row.test_error_percent:6.2f} % "
            f"{row.agreement_percent:7.2f} % {row.max_probability_difference:9.4f}  {row.runs}"
        )
    return "\n".join(lines)
