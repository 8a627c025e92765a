"""fp16: weights and layers in half precision; pixels in and probabilities out as ever."""

from __future__ import annotations

import warnings
from pathlib import Path

import onnx

from export.converted import SOURCE_HASH
from resnet_core.files import replace_file, sha256_of

# Sums over classes lose digits that the answer shows; pixels up to 255 are exact in fp16.
KEPT_IN_FP32 = ["Softmax"]


def write_fp16(source: Path, out: Path) -> None:
    """Convert an exported fp32 file.

    Args:
        source: a stand-alone ONNX file of this app.
        out: where the fp16 file is put in one step.
    """
    from onnxruntime.transformers.float16 import (
        DEFAULT_OP_BLOCK_LIST,
        convert_float_to_float16,
    )

    model = onnx.load(source, load_external_data=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # weights too small for fp16 become its smallest: expected
        half = convert_float_to_float16(
            model, keep_io_types=True, op_block_list=[*DEFAULT_OP_BLOCK_LIST, *KEPT_IN_FP32]
        )
    set_precision(half, "fp16", source)
    replace_file(out, lambda path: _write(half, path))


def set_precision(model: onnx.ModelProto, precision: str, source: Path, **facts: str) -> None:
    """Note in the metadata what the file is, and of which fp32 file, whose test error it has not."""
    kept = {prop.key: prop.value for prop in model.metadata_props}
    said = {"precision": precision, "test_error_percent": "", SOURCE_HASH: sha256_of(source)}
    onnx.helper.set_model_props(model, kept | said | facts)


def _write(model: onnx.ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString())
