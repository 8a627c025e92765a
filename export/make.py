"""From a model to the ONNX file of one precision, proven before it appears."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from export.half import write_fp16
from export.onnx_file import write_onnx
from export.precisions import EXACT, file_for
from export.quantise import write_int8
from export.session import OnnxSession
from export.verify import Parity, verify_onnx
from resnet_core.data.dataset import load_dataset
from resnet_core.errors import ModelError
from resnet_core.models.saved import SavedModel
from resnet_core.onnx_names import exact_file
from resnet_core.training.find import FoundModel


@dataclass(frozen=True)
class Made:
    """An exported file, and in words what was found when it was checked."""

    file: Path
    proof: str


def make_onnx(found: FoundModel, precision: str, out: Path | None, data_folder: Path) -> Made:
    """Export a model in fp32, prove it, and convert it where another precision is asked for.

    What is converted is the fp32 file beside it, where there is one, so that the two belong together.

    Args:
        out: file to write; None for `model.onnx` or `model.PRECISION.onnx` beside the weights.
        data_folder: where the training images are, for int8.

    Raises:
        ModelError: the exported net, or the fp32 file there is, differs from PyTorch's; nothing
            was kept.
        DataError: int8 was asked for and the training images can't be read.
    """
    out = out or file_for(found.folder / "model.onnx", precision)
    beside = exact_file(out)
    with _unproven(out) as exact:
        if precision == EXACT:
            parity = _export(exact, found)
            exact.replace(out)
            return Made(
                out, f"largest logit difference to PyTorch {parity.max_logit_difference:.1e}"
            )
        if beside is not None and beside.is_file():
            _copy(beside, exact, found)
        else:
            _export(exact, found)
        return _convert(exact, out, precision, found, data_folder)


def _export(exact: Path, found: FoundModel) -> Parity:
    write_onnx(found.saved, exact, found.source, found.data, found.test_error_percent)
    parity = verify_onnx(exact, found.saved.model, None)
    if not parity.passed:
        raise ModelError(
            f"The exported net differs from PyTorch's ({parity.max_logit_difference:.1e} in a "
            "logit) and was not kept: report this bug."
        )
    return parity


def _copy(beside: Path, exact: Path, found: FoundModel) -> None:
    """Take the fp32 file there is, as it now stands: another may take its place meanwhile."""
    exact.write_bytes(beside.read_bytes())
    if not _holds(exact, found.saved):
        raise ModelError(
            f"{beside}, which would be converted, does not hold the weights of {found.source}: "
            f"write it anew with `python -m export onnx MODEL --out {beside}` first, or choose "
            "another --out."
        )


def _holds(exact: Path, saved: SavedModel) -> bool:
    """Whether a file computes what the weights do, and not a run's earlier ones or another model's."""
    try:
        facts = OnnxSession(exact, "cpu").facts
        is_alike = facts.class_names == saved.class_names
        is_alike &= facts.input_size == saved.model.config.input_size
        return is_alike and verify_onnx(exact, saved.model, None).passed
    except ModelError:  # it is damaged
        return False


def _convert(exact: Path, out: Path, precision: str, found: FoundModel, data_folder: Path) -> Made:
    if precision == "fp16":
        write_fp16(exact, out)
        return Made(out, "converted from fp32")
    train = load_dataset(found.data, data_folder).train
    result = write_int8(exact, out, train.images.numpy(), train.labels.numpy())
    return Made(
        out,
        f"calibrated on {result.calibration_images} training images; on {result.judging_images:,} "
        f"others {result.agreement_percent:.2f} % as in fp32, error {result.lost_points:+.2f} "
        f"points; left in fp32: {result.kept_in_fp32}",
    )


@contextmanager
def _unproven(out: Path) -> Iterator[Path]:
    """Until it is verified the file has another name, so that nothing takes it for the model."""
    out.parent.mkdir(parents=True, exist_ok=True)
    unproven = out.with_name(f".{out.name}.unproven")
    try:
        yield unproven
    finally:
        unproven.unlink(missing_ok=True)
